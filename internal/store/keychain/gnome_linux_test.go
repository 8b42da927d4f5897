package keychain_test

import (
	"errors"
	"testing"

	"github.com/agentkeys/agentkeys/internal/store"
	"github.com/agentkeys/agentkeys/internal/store/keychain"
	"github.com/agentkeys/agentkeys/internal/store/keychain/keyringtest"
	"github.com/agentkeys/agentkeys/internal/words"
	"github.com/agentkeys/agentkeys/test/needs"
)

// inKeyring starts a gnome-keyring and returns it with a Keychain of its session.
func inKeyring(t testing.TB, state keyringtest.State) (*keyringtest.GnomeKeyring, *keychain.Keychain) {
	t.Helper()
	g := keyringtest.StartGnomeKeyring(t, keyringtest.StartBus(t), keyringtest.Dir(t), state)
	return g, newKeychain(t, keyringtest.Env(g.Address, g.Home)...)
}

func secretTool(t *testing.T, g *keyringtest.GnomeKeyring, stdin string, args ...string) string {
	t.Helper()
	needs.Programs(t, "secret-tool")
	return keyringtest.Run(t, keyringtest.Env(g.Address, g.Home), stdin, "secret-tool", args...)
}

func TestAnEntryOfAnUnlockedKeyringIsWrittenReadAndDeleted(t *testing.T) {
	t.Parallel()
	g, k := inKeyring(t, keyringtest.Unlocked)
	p := k.Probe(t.Context())
	wantState(t, p, words.KeychainUnlocked)
	if p.Provider != "gnome-keyring" || len(p.BusID) != 32 || p.Owner == "" || p.Seconds <= 0 {
		t.Errorf("probe %+v", p)
	}
	if _, err := k.Get(t.Context(), account); !errors.Is(err, store.ErrKeychainAbsent) {
		t.Fatalf("before: %v", err)
	}
	for _, value := range []string{"ak1.1.first", "ak1.2.second"} {
		if err := k.Put(t.Context(), account, value); err != nil {
			t.Fatal(err)
		}
		if got, err := k.Get(t.Context(), account); got != value || err != nil {
			t.Fatalf("got %q, %v", got, err)
		}
		if got := secretTool(t, g, "", "lookup", "service", "agentkeys", "username", account); got != value {
			t.Fatalf("secret-tool sees %q", got)
		}
	}
	for range 2 {
		if err := k.Delete(t.Context(), account); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := k.Get(t.Context(), account); !errors.Is(err, store.ErrKeychainAbsent) {
		t.Fatalf("after: %v", err)
	}
}

func newKeychain(t testing.TB, env ...string) *keychain.Keychain {
	t.Helper()
	return keychain.New(keychain.Config{Env: lookup(env), Timeout: longTimeout})
}

func newQuick(t testing.TB, env ...string) *keychain.Keychain {
	t.Helper()
	return keychain.New(keychain.Config{Env: lookup(env), Timeout: shortTimeout})
}
