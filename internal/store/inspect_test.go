package store_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/store"
	"github.com/agentkeys/agentkeys/internal/store/storetest"
	"github.com/agentkeys/agentkeys/internal/wallet"
	"github.com/agentkeys/agentkeys/internal/words"
	"github.com/agentkeys/agentkeys/test/needs"
)

// look inspects and peeks, and fails if either changed anything, locks included.
func look(t *testing.T, s *store.Store, id session.ID, p store.Probe) (store.Facts, session.Session, error) {
	t.Helper()
	before := snapshot(t, s.Home())
	f, err := s.Inspect(id, p)
	must(t, err)
	v, _, peekErr := s.Peek(t.Context(), id)
	if after := snapshot(t, s.Home()); after != before {
		t.Errorf("touched:\n%s\nbefore:\n%s", after, before)
	}
	return f, v, peekErr
}

func TestInspectNamesEveryInsecurityUntouched(t *testing.T) {
	t.Parallel()
	for name, c := range insecurities() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if c.root {
				needs.Root(t)
			}
			s, id := open(t, store.Config{Mode: words.ModeFile}), session.Master()
			save(t, s, id, newSession(wallet.New()))
			c.breakIt(t, s.Dir(id), filepath.Join(s.Dir(id), "session.json"))
			f, _, err := look(t, s, id, store.Probe{})
			if len(f.Insecure) == 0 || !strings.HasPrefix(f.Insecure[0].Fix, c.fix) || !errors.Is(f.Err, store.ErrInsecure) || f.Saved {
				t.Errorf("%+v", f)
			}
			if !errors.Is(err, store.ErrInsecure) {
				t.Errorf("peek: %v", err)
			}
		})
	}
}

func TestInspectNamesSeveralThingsAtOnce(t *testing.T) {
	t.Parallel()
	s, id := open(t, store.Config{Mode: words.ModeFile}), session.Master()
	save(t, s, id, newSession(wallet.New()))
	must(t, s.WriteFile(id, "cache.json", []byte("{}")))
	file, cache := filepath.Join(s.Dir(id), "session.json"), filepath.Join(s.Dir(id), "cache.json")
	must(t, os.Link(file, filepath.Join(t.TempDir(), "second")), os.Chmod(file, 0o644), os.Chmod(cache, 0o640), os.Chmod(s.Dir(id), 0o755))
	f, _, _ := look(t, s, id, store.Probe{})
	var fixes []string
	for _, i := range f.Insecure {
		fixes = append(fixes, strings.Join(strings.Fields(i.Fix)[:2], " "))
	}
	if got := strings.Join(fixes, ", "); got != "chmod 700, chmod 600, chmod 600, cp -p" {
		t.Errorf("%s: %+v", got, f.Insecure)
	}
}

func TestInspectLeavesACorruptHeadWhereItIs(t *testing.T) {
	t.Parallel()
	s, id := open(t, store.Config{Mode: words.ModeFile}), session.Master()
	save(t, s, id, newSession(wallet.New()))
	file := filepath.Join(s.Dir(id), "session.json")
	must(t, os.WriteFile(file, []byte("x"), 0o600))
	if f, _, err := look(t, s, id, store.Probe{}); !errors.Is(f.Err, store.ErrCorrupt) || !errors.Is(err, store.ErrCorrupt) {
		t.Errorf("%+v, %v", f, err)
	}
	must(t, os.Rename(file, file+".corrupt-1"))
	if f, _, err := look(t, s, id, store.Probe{}); !errors.Is(f.Err, store.ErrCorrupt) || !errors.Is(err, store.ErrCorrupt) {
		t.Errorf("set aside: %+v, %v", f, err)
	}
	must(t, os.WriteFile(file, []byte(`{"version":2}`), 0o600))
	if f, _, err := look(t, s, id, store.Probe{}); !errors.Is(f.Err, store.ErrNewer) || !errors.Is(err, store.ErrNewer) {
		t.Errorf("newer: %+v, %v", f, err)
	}
}

func TestInspectOfNothing(t *testing.T) {
	t.Parallel()
	s := open(t, store.Config{Mode: words.ModeFile})
	f, err := s.Inspect(session.Master(), store.Probe{})
	if err != nil || f.Err != nil || f.Saved || f.UID != -1 {
		t.Errorf("%+v, %v", f, err)
	}
	if _, _, err := s.Peek(t.Context(), session.Master()); !errors.Is(err, store.ErrNoSession) {
		t.Errorf("peek: %v", err)
	}
	if _, err := s.Inspect(session.ID{}, store.Probe{}); !errors.Is(err, session.ErrID) {
		t.Errorf("no id: %v", err)
	}
	if _, err := os.Stat(s.Home()); err == nil {
		t.Error("the home was made")
	}
	v := newSession(wallet.New())
	save(t, s, session.Master(), v)
	if f, got, err := look(t, s, session.Master(), store.Probe{}); err != nil || !got.Token.Equal(v.Token) || !f.Saved || f.Generation != 1 || f.Backend != words.BackendFile {
		t.Errorf("%+v, %v", f, err)
	}
	must(t, s.Delete(t.Context(), session.Master()))
	if f, _, err := look(t, s, session.Master(), store.Probe{}); !f.Tombstone || f.Backend != words.BackendNone || !errors.Is(err, store.ErrNoSession) {
		t.Errorf("removed: %+v, %v", f, err)
	}
}

// Peek does not adopt what Load would: an entry in the keychain of a slot without a head
// stays as it is.
func TestPeekAdoptsAndCommitsNothing(t *testing.T) {
	t.Parallel()
	b := newFixture(t, words.ModeAuto)
	v := newSession(wallet.New())
	payload, err := v.Encode()
	must(t, err)
	b.ring.Set("master", string(payload))
	if _, _, err := b.Peek(t.Context(), b.id); !errors.Is(err, store.ErrNoSession) {
		t.Errorf("%v", err)
	}
	if b.ring.Calls("put")+b.ring.Calls("delete") != 0 {
		t.Error("the keychain was written")
	}
	if f, err := b.Inspect(b.id, store.Probe{}); err != nil || f.Saved {
		t.Errorf("%+v, %v", f, err)
	}
	wantToken(t, b.Store, b.id, v) // a Load adopts it
}

func TestInspectTellsAFenceThatIsOver(t *testing.T) {
	t.Parallel()
	at := time.Unix(1_767_225_600, 0)
	ring := storetest.NewKeyring()
	client := ring.Client(nil)
	s := open(t, store.Config{Keychain: client, BootID: func() string { return "boot-1" }, Now: func() time.Time { return at }})
	id := session.Master()
	ring.SetFault(inTurn(0, []storetest.Fault{storetest.FaultLost}))
	if info := save(t, s, id, newSession(wallet.New())); !info.InDoubt {
		t.Fatalf("%+v", info)
	}
	p := client.ProbeNow(t.Context())
	f, _, err := look(t, s, id, p)
	if err != nil || f.Doubt == nil || f.Doubt.Over || !f.Doubt.Since.Equal(at) || f.Doubt.Operation != "put" || f.Doubt.Generation != 1 {
		t.Fatalf("%+v, %+v, %v", f, f.Doubt, err)
	}
	ring.Restart()
	if f, _, _ := look(t, s, id, client.ProbeNow(t.Context())); f.Doubt == nil || !f.Doubt.Over {
		t.Errorf("another provider: %+v", f.Doubt)
	}
	if f, _, _ := look(t, s, id, store.Probe{}); f.Doubt == nil || f.Doubt.Over {
		t.Errorf("without a probe nothing is proved: %+v", f.Doubt)
	}
}

func TestPeekSeesThatHeadAndKeychainDisagree(t *testing.T) {
	t.Parallel()
	b := newFixture(t, words.ModeAuto)
	v := newSession(wallet.New())
	save(t, b.Store, b.id, v)
	if got, _, err := b.Peek(t.Context(), b.id); err != nil || !got.Token.Equal(v.Token) {
		t.Errorf("%v", err)
	}
	b.ring.Set("master", "ak1.9.e30")
	if _, _, err := b.Peek(t.Context(), b.id); !errors.Is(err, store.ErrInconsistent) {
		t.Errorf("%v", err)
	}
	b.ring.SetState(words.KeychainLocked)
	if _, _, err := b.Peek(t.Context(), b.id); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("locked: %v", err)
	}
}
