package keychain_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/store"
	"github.com/agentkeys/agentkeys/internal/store/keychain"
	"github.com/agentkeys/agentkeys/internal/wallet"
	"github.com/agentkeys/agentkeys/internal/words"
)

// mac is a Mac's keychain as far as another system can have one: the real probe in
// front of a stand-in for `security`, and the entries in memory.
type mac struct {
	security string
	home     string
	entries  map[string]string
}

func (m mac) Probe(ctx context.Context) store.Probe { return m.ProbeNow(ctx) }

func (m mac) ProbeNow(ctx context.Context) store.Probe {
	return keychain.ProbeSecurity(ctx, m.security, []string{"HOME=" + m.home, "PATH=" + os.Getenv("PATH")})
}

func (m mac) Get(_ context.Context, account string) (string, error) {
	if v, ok := m.entries[account]; ok {
		return v, nil
	}
	return "", store.ErrKeychainAbsent
}

func (m mac) Put(_ context.Context, account, value string) error {
	m.entries[account] = value
	return nil
}

func (m mac) Delete(_ context.Context, account string) error {
	delete(m.entries, account)
	return nil
}

func (mac) MaxValue() int { return keychain.MaxValueMacOS }

// The rows of the environments table that need `security`; the others drive the
// programs in test/e2e.
func TestEnvironmentsOfAMac(t *testing.T) {
	t.Parallel()
	for name, env := range map[string]struct {
		security string
		mode     words.Mode
		backend  words.Backend
	}{
		"MacBook, logged in":                            {"exit 44", words.ModeAuto, words.BackendKeychain},
		"Mac mini, logged in":                           {"exit 44", words.ModeAuto, words.BackendKeychain},
		"Mac mini, no login session (ssh, a daemon)":    {"exit 36", words.ModeAuto, words.BackendFile},
		"MacBook, this program is refused":              {"exit 51", words.ModeAuto, words.BackendFile},
		"Mac mini with AGENTKEYS_SESSION_STORE=file":    {"touch \"$HOME/asked\"", words.ModeFile, words.BackendFile},
		"Mac mini, the keychain of the session is gone": {"exit 53", words.ModeAuto, words.BackendFile},
	} {
		for daemons := 1; daemons <= 2; daemons++ {
			t.Run(fmt.Sprintf("%s, %d daemons", name, daemons), func(t *testing.T) {
				t.Parallel()
				path, dir := standIn(t, env.security)
				m := mac{security: path, home: dir, entries: map[string]string{}}
				s, err := store.New(store.Config{Home: filepath.Join(dir, "home"), Mode: env.mode, Keychain: m, KeychainTimeout: longTimeout})
				if err != nil {
					t.Fatal(err)
				}
				for range daemons {
					id := session.DaemonID(wallet.New())
					v := session.Session{Token: session.NewToken(), CreatedAt: 1, TTLSeconds: 1}
					v.Wallet, _ = id.Wallet()
					info, err := s.Save(t.Context(), id, v)
					if err != nil || info.Backend != env.backend {
						t.Fatalf("saved in the %s, %v; want the %s", info.Backend, err, env.backend)
					}
					if _, there := m.entries[id.String()]; there != (env.backend == words.BackendKeychain) {
						t.Errorf("entry of %s: %v", id, there)
					}
					if got, _, err := s.Load(t.Context(), id); err != nil || !got.Token.Equal(v.Token) {
						t.Errorf("load: %v", err)
					}
				}
				if slots, err := s.List(); err != nil || len(slots) != daemons {
					t.Errorf("%d slots, %v", len(slots), err)
				}
				if _, err := os.Stat(filepath.Join(dir, "asked")); err == nil {
					t.Error("mode file asked security")
				}
			})
		}
	}
}
