package localapi_test

import (
	"testing"

	"github.com/agentkeys/agentkeys/internal/agent/localapi"
)

// A user may have thousands of numbers (subuid). All of them together take nothing that a
// user needs whom a rule lets read.
func TestManyUsersThatNoRuleKnowsTakeNoConnectionOfOthers(t *testing.T) {
	t.Parallel()
	q := localapi.NewQuota()
	var releases []func()
	held := 0
	for uid := range uint32(100) {
		for range 256 {
			if release, ok := q.Open(100_000+uid, true); ok {
				releases, held = append(releases, release), held+1
			}
		}
	}
	if held != 512 {
		t.Errorf("strangers hold %d connections, want 512", held)
	}
	refused := 0
	for uid := range uint32(100) {
		if _, ok := q.Refuse(100_000+uid, true); ok {
			refused++
		}
	}
	if refused != 64 {
		t.Errorf("%d are told why they are refused, want 64", refused)
	}
	for n := 1; n <= 257; n++ {
		if _, ok := q.Open(1000, false); ok != (n <= 256) {
			t.Errorf("connection %d of a user that a rule knows: %v", n, ok)
		}
	}
	if _, ok := q.Refuse(1000, false); !ok {
		t.Error("a user that a rule knows is not told why it is refused")
	}
	releases[0]()
	if _, ok := q.Open(200_000, true); !ok {
		t.Error("what one stranger closed is nobody's")
	}
	if _, ok := q.Open(200_001, true); ok {
		t.Error("strangers hold more than their part")
	}
}
