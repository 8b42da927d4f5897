package store_test

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/agentkeys/agentkeys/internal/store"
)

// TestRandomHistories checks invariants 1 to 6, 9 and 10 on random histories.
// `go test -run RandomHistories -rapid.checks=100000` runs as long as wanted.
func TestRandomHistories(t *testing.T) {
	t.Parallel()
	for _, mode := range []store.Mode{store.ModeAuto, store.ModeFile, store.ModeKeychain} {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			rapid.Check(t, func(t *rapid.T) {
				m := newMachine(mode, storeMaker)
				for range rapid.IntRange(1, 50).Draw(t, "steps") {
					m.step(t, func(label string, n int) int { return rapid.IntRange(0, n-1).Draw(t, label) })
				}
			})
		})
	}
}
