package keychain_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/store"
	"github.com/agentkeys/agentkeys/internal/store/keychain/keyringtest"
	"github.com/agentkeys/agentkeys/internal/wallet"
	"github.com/agentkeys/agentkeys/internal/words"
)

// mustPlain runs go-keyring alone in the session of g.
func mustPlain(t *testing.T, g *keyringtest.GnomeKeyring, stdin, operation string) string {
	t.Helper()
	out, err := goKeyring(t.Context(), t, keyringtest.Env(g.Address, g.Home), stdin, operation)
	if err != nil {
		t.Fatalf("go-keyring alone, %s: %v", operation, err)
	}
	return out
}

func TestGoKeyringSecretToolAndWeReadEachOther(t *testing.T) {
	t.Parallel()
	g, k := inKeyring(t, keyringtest.Unlocked)
	attributes := []string{"service", "agentkeys", "username", account}
	for name, write := range map[string]func(value string){
		"we write": func(value string) {
			if err := k.Put(t.Context(), account, value); err != nil {
				t.Fatal(err)
			}
		},
		"go-keyring writes": func(value string) { mustPlain(t, g, value, "set") },
		"secret-tool writes": func(value string) {
			secretTool(t, g, value, append([]string{"store", "--label=by hand"}, attributes...)...)
		},
	} {
		value := "ak1.1." + strings.ReplaceAll(name, " ", "-")
		write(value)
		if got, err := k.Get(t.Context(), account); got != value || err != nil {
			t.Errorf("%s, we read %q, %v", name, got, err)
		}
		if got := mustPlain(t, g, "", "get"); got != value {
			t.Errorf("%s, go-keyring reads %q", name, got)
		}
		if got := secretTool(t, g, "", append([]string{"lookup"}, attributes...)...); got != value {
			t.Errorf("%s, secret-tool reads %q", name, got)
		}
	}
	if err := k.Delete(t.Context(), account); err != nil {
		t.Fatal(err)
	}
	if _, err := goKeyring(t.Context(), t, keyringtest.Env(g.Address, g.Home), "", "get"); err == nil {
		t.Error("go-keyring still reads what we deleted")
	}
	mustPlain(t, g, "ak1.1.dg", "set")
	mustPlain(t, g, "", "delete")
	if _, err := k.Get(t.Context(), account); !errors.Is(err, store.ErrKeychainAbsent) {
		t.Errorf("go-keyring deleted it, we read: %v", err)
	}
}

// raw is a session as clients of other programs wrote it: JSON of five fields.
func raw(t *testing.T) string {
	t.Helper()
	w, err := wallet.Parse(strings.TrimPrefix(account, "daemon-"))
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(map[string]any{
		"token": "token-of-another-program", "wallet": w.String(), "scope": nil, "created_at": 1_700_000_000, "ttl_seconds": 2_592_000,
	})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func adopted(t *testing.T, k store.Keychain, want words.Backend) (home string) {
	t.Helper()
	home = filepath.Join(keyringtest.Dir(t), "home")
	s, err := store.New(store.Config{Home: home, Keychain: k, KeychainTimeout: longTimeout})
	if err != nil {
		t.Fatal(err)
	}
	id, err := session.ParseID(account)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		v, info, err := s.Load(t.Context(), id)
		if err != nil || v.Token.Reveal() != "token-of-another-program" || info.Generation == 0 || info.Backend != want {
			t.Fatalf("load: %+v, %v", info, err)
		}
	}
	return home
}

func TestASessionOfAnotherProgramIsAdoptedFromARealKeyring(t *testing.T) {
	t.Parallel()
	for name, write := range map[string]func(*testing.T, *keyringtest.GnomeKeyring){
		"written by go-keyring": func(t *testing.T, g *keyringtest.GnomeKeyring) { mustPlain(t, g, raw(t), "set") },
		"written by secret-tool": func(t *testing.T, g *keyringtest.GnomeKeyring) {
			secretTool(t, g, raw(t), "store", "--label=by hand", "service", "agentkeys", "username", account)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g, k := inKeyring(t, keyringtest.Unlocked)
			write(t, g)
			home := adopted(t, k, words.BackendKeychain)
			if got := mustPlain(t, g, "", "get"); !strings.HasPrefix(got, "ak1.") {
				t.Errorf("the entry is still %.10q", got)
			}
			head, err := os.ReadFile(filepath.Join(home, account, "session.json"))
			if err != nil || strings.Contains(string(head), "token-of") {
				t.Errorf("the token is in the file: %v", err)
			}
		})
	}
}

// KeePassXC is not written to: the session goes to the file, and its entry stays.
func TestASessionOfAnotherProgramIsAdoptedFromKeePassXC(t *testing.T) {
	t.Parallel()
	s, k := openSafe(t, keyringtest.Unlocked, false, keyringtest.Entry{Account: account, Value: raw(t)})
	adopted(t, k, words.BackendFile)
	if got := s.Show(account); got != raw(t) {
		t.Errorf("the entry is now %.10q", got)
	}
	s.untouched(t)
}
