package store_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/store"
	"github.com/agentkeys/agentkeys/internal/store/storetest"
	"github.com/agentkeys/agentkeys/internal/wallet"
	"github.com/agentkeys/agentkeys/internal/words"
)

// Corrupt is not absent: the file is kept under another name, Load never says
// ErrNoSession because of it, and a new session has a higher generation.
func TestCorruptHeadsAreSetAsideAndNeverAbsent(t *testing.T) {
	t.Parallel()
	for name, content := range map[string]string{
		"empty":                  "",
		"NUL":                    strings.Repeat("\x00", 512),
		"blank":                  "\n \n",
		"torn":                   `{"version":1,"id":"master","gener`,
		"other JSON":             `{"hello":"world"}`,
		"a list":                 `[]`,
		"unknown key and torn":   `{"version":1,"id":"master","generation":1,"pending":0,"where":"keychain","tombstone":false,"sha256":"a","extra":1}`,
		"repeated key":           `{"version":1,"version":1,"id":"master","generation":1,"pending":0,"where":"keychain","tombstone":false,"sha256":"` + strings.Repeat("a", 64) + `"}`,
		"another slot's":         `{"version":1,"id":"other","generation":1,"pending":0,"where":"keychain","tombstone":false,"sha256":"` + strings.Repeat("a", 64) + `"}`,
		"payload was changed":    `{"version":1,"id":"master","generation":1,"pending":0,"where":"file","tombstone":false,"payload":{"token":"x"},"sha256":"` + strings.Repeat("a", 64) + `"}`,
		"tombstone with payload": `{"version":1,"id":"master","generation":1,"pending":0,"where":"file","tombstone":true,"payload":{},"sha256":""}`,
		"unknown place":          `{"version":1,"id":"master","generation":1,"pending":0,"where":"cloud","tombstone":false,"sha256":"` + strings.Repeat("a", 64) + `"}`,
		"the last generation":    `{"version":1,"id":"master","generation":18446744073709551615,"pending":0,"where":"keychain","tombstone":false,"sha256":"` + strings.Repeat("a", 64) + `"}`,
		"a generation too high":  `{"version":1,"id":"master","generation":9223372036854775808,"pending":0,"where":"keychain","tombstone":false,"sha256":"` + strings.Repeat("a", 64) + `"}`,
		"the last one pending":   `{"version":1,"id":"master","generation":1,"pending":18446744073709551615,"pending_sha256":"` + strings.Repeat("a", 64) + `","where":"keychain","tombstone":false,"sha256":"` + strings.Repeat("a", 64) + `"}`,
		"over 64 KiB":            strings.Repeat("x", 64<<10+1),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, id := open(t, store.Config{Mode: words.ModeFile}), session.Master()
			before := save(t, s, id, newSession(wallet.New()))
			path := filepath.Join(s.Dir(id), "session.json")
			must(t, os.WriteFile(path, []byte(content), 0o600))
			for range 2 {
				wantLoadError(t, s, id, store.ErrCorrupt)
			}
			if slots, err := s.List(); err != nil || len(slots) != 1 || !errors.Is(slots[0].Err, store.ErrCorrupt) {
				t.Fatalf("list: %+v, %v", slots, err)
			}
			if kept, err := os.ReadFile(path + ".corrupt-1"); err != nil || string(kept) != content {
				t.Fatalf("set aside: %d bytes, %v", len(kept), err)
			}
			v := newSession(wallet.New())
			if after := save(t, s, id, v); after.Generation <= before.Generation {
				t.Fatalf("generation %d after %d", after.Generation, before.Generation)
			}
			wantToken(t, s, id, v)
			must(t, os.WriteFile(path, []byte("again"), 0o600))
			must(t, s.Delete(t.Context(), id))
			wantLoadError(t, s, id, store.ErrNoSession)
			if kept, err := os.ReadFile(path + ".corrupt-2"); err != nil || string(kept) != "again" {
				t.Fatalf("second one: %q, %v", kept, err)
			}
		})
	}
}

func TestSaveOverACorruptHeadLeavesTheKeychainAlone(t *testing.T) {
	t.Parallel()
	ring := storetest.NewKeyring()
	s, id := open(t, store.Config{Keychain: ring.Client(nil)}), session.Master()
	save(t, s, id, newSession(wallet.New()))
	must(t, os.WriteFile(filepath.Join(s.Dir(id), "session.json"), nil, 0o600))
	v := newSession(wallet.New())
	if info := save(t, s, id, v); info.Backend != words.BackendFile || !info.InDoubt {
		t.Fatalf("%+v: what the lost head knew of the keychain may be in doubt", info)
	}
	ring.Restart()
	must(t, s.ReconcileSlot(t.Context(), id))
	if info := wantToken(t, s, id, v); info.Backend != words.BackendKeychain || info.InDoubt {
		t.Fatalf("after the provider was replaced: %+v", info)
	}
}

func TestNewerHeadsAreLeftAlone(t *testing.T) {
	t.Parallel()
	for content, said := range map[string]string{
		`{"version":2,"shape":"unknown"}`: "version 2",
		`{"version":1,"id":"master","generation":1,"pending":0,"where":"keychain","tombstone":false,"sha256":"` + strings.Repeat("a", 64) + `","extra":1}`: "more in it",
	} {
		s, id := open(t, store.Config{Mode: words.ModeFile}), session.Master()
		save(t, s, id, newSession(wallet.New()))
		must(t, os.WriteFile(filepath.Join(s.Dir(id), "session.json"), []byte(content), 0o600))
		before := snapshot(t, s.Home())
		for call, err := range map[string]error{
			"load":   second(s.Load(t.Context(), id)),
			"save":   first(s.Save(t.Context(), id, newSession(wallet.New()))),
			"delete": s.Delete(t.Context(), id),
		} {
			if !errors.Is(err, store.ErrNewer) || !strings.Contains(err.Error(), said) {
				t.Errorf("%s: %v", call, err)
			}
		}
		if after := snapshot(t, s.Home()); after != before {
			t.Errorf("touched:\n%s", after)
		}
	}
}
