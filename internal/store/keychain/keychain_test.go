package keychain_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/agentkeys/agentkeys/internal/store"
	"github.com/agentkeys/agentkeys/internal/store/keychain"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == keychain.ChildCommand {
		os.Exit(keychain.Child(os.Stdin, os.Stdout))
	}
	goleak.VerifyTestMain(m)
}

// lookup makes a Config.Env of NAME=value lines.
func lookup(env []string) func(string) string {
	return func(name string) string {
		for _, line := range env {
			if value, ok := strings.CutPrefix(line, name+"="); ok {
				return value
			}
		}
		return ""
	}
}

func newKeychain(t testing.TB, env ...string) *keychain.Keychain {
	t.Helper()
	return keychain.New(keychain.Config{Env: lookup(env), Timeout: 2 * time.Second})
}

func wantState(t *testing.T, p store.Probe, want store.KeychainState) {
	t.Helper()
	if p.State != want {
		t.Errorf("state %q (%s), want %q", p.State, p.Reason, want)
	}
}
