package keychain_test

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/agentkeys/agentkeys/internal/harden"
	"github.com/agentkeys/agentkeys/internal/store"
	"github.com/agentkeys/agentkeys/internal/store/keychain"
	"github.com/agentkeys/agentkeys/internal/words"
)

// account is the one that most tests use.
const account = "daemon-0x52908400098527886e0f7030069857d2e4169ee7"

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == keychain.ChildCommand {
		os.Exit(keychain.Child(os.Stdin, os.Stdout))
	}
	if name := os.Getenv(parentVariable); name != "" {
		if err := harden.Process(); err != nil {
			panic(err)
		}
		for k := keychain.New(keychain.Config{Timeout: time.Minute, Executable: name}); ; {
			_, _ = k.Get(context.Background(), "master") // until it is killed
		}
	}
	if operation := os.Getenv(goKeyringVariable); operation != "" {
		os.Exit(runGoKeyring(operation))
	}
	if home := os.Getenv(workerVariable); home != "" {
		os.Exit(work(home))
	}
	if executable := os.Getenv(unreadableVariable); executable != "" {
		os.Stdout.WriteString(sayAnswer(executable))
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// parentVariable makes the test program a parent that reads for ever,
// with children of the name that it holds.
const parentVariable = "KEYCHAIN_TEST_PARENT"

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

func wantState(t *testing.T, p store.Probe, want words.KeychainState) {
	t.Helper()
	if p.State != want {
		t.Errorf("state %q (%s), want %q", p.State, p.Reason, want)
	}
}

// shortTimeout is the deadline of tests that reach it, longTimeout that of tests that do not.
// slack is what a call may take longer on a busy machine; without a deadline it would never end.
const (
	longTimeout  = 20 * time.Second
	shortTimeout = time.Second
	slack        = 20 * time.Second
)
