package store_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/agentkeys/agentkeys/internal/scope"
	"github.com/agentkeys/agentkeys/internal/secret"
	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/store"
	"github.com/agentkeys/agentkeys/internal/wallet"
	"github.com/agentkeys/agentkeys/internal/words"
)

// newSession makes a daemon's session whose token alone tells it from others.
func newSession(w wallet.Wallet) session.Session {
	return session.Session{
		Token: session.NewToken(), Wallet: w, Scope: scope.All(),
		CreatedAt: 1_700_000_000, TTLSeconds: int64(session.TTL / time.Second),
		Broker:    "https://broker.local:8420",
		DeviceKey: session.NewToken(), DeviceSignKey: session.NewToken(),
	}
}

func newPending() session.Session {
	return session.Session{
		Token: session.NewToken(), Scope: scope.None(), CreatedAt: 1_700_000_000,
		DeviceKey: session.NewToken(), DeviceSignKey: session.NewToken(),
		Pairing: &session.Pairing{Code: secret.New("K7QF2M9XRT4B"), Kind: "pair", Request: []byte("{}")},
	}
}

func open(t *testing.T, cfg store.Config) *store.Store {
	t.Helper()
	if cfg.Home == "" {
		cfg.Home = filepath.Join(t.TempDir(), "home")
	}
	s, err := store.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func save(t *testing.T, s *store.Store, id session.ID, v session.Session) store.Info {
	t.Helper()
	info, err := s.Save(t.Context(), id, v)
	if err != nil {
		t.Fatal(err)
	}
	return info
}

// wantToken checks that Load gives v.
func wantToken(t *testing.T, s *store.Store, id session.ID, v session.Session) store.Info {
	t.Helper()
	got, info, err := s.Load(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if !got.Token.Equal(v.Token) {
		t.Fatalf("loaded another session, generation %d", info.Generation)
	}
	return info
}

func wantLoadError(t *testing.T, s *store.Store, id session.ID, want error) {
	t.Helper()
	if _, _, err := s.Load(t.Context(), id); !errors.Is(err, want) {
		t.Fatalf("load: %v, want %v", err, want)
	}
}

func TestFileModeLifeOfASlot(t *testing.T) {
	t.Parallel()
	s := open(t, store.Config{Mode: words.ModeFile})
	w := wallet.New()
	id := session.DaemonID(w)
	wantLoadError(t, s, id, store.ErrNoSession)
	if _, err := os.Stat(s.Home()); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("load made the home: %v", err)
	}
	first, second := newSession(w), newSession(w)
	if info := save(t, s, id, first); info.Generation != 1 || info.Backend != words.BackendFile {
		t.Fatalf("first save: %+v", info)
	}
	wantToken(t, s, id, first)
	save(t, s, id, second)
	if info := wantToken(t, s, id, second); info.Generation != 2 {
		t.Fatalf("second save: %+v", info)
	}
	if err := s.Delete(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	wantLoadError(t, s, id, store.ErrNoSession)
	save(t, s, id, first)
	if info := wantToken(t, s, id, first); info.Generation != 4 {
		t.Fatalf("save after delete: %+v", info)
	}
}

func TestPermissionsOfANewSlot(t *testing.T) {
	t.Parallel()
	s := open(t, store.Config{Mode: words.ModeFile})
	save(t, s, session.Master(), newSession(wallet.New()))
	for path, want := range map[string]fs.FileMode{
		s.Home(): 0o700, s.Dir(session.Master()): 0o700,
		filepath.Join(s.Dir(session.Master()), "session.json"): 0o600,
		filepath.Join(s.Dir(session.Master()), ".lock"):        0o600,
	} {
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v; want %v", path, info.Mode(), err, want)
		}
	}
}

func TestPromoteMovesAPendingSlot(t *testing.T) {
	t.Parallel()
	s := open(t, store.Config{Mode: words.ModeFile})
	pending, w := session.NewPendingID(), wallet.New()
	save(t, s, pending, newPending())
	release, err := s.HoldRun(pending)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	if _, err := s.HoldRun(pending); !errors.Is(err, store.ErrBusy) {
		t.Fatalf("second holder: %v", err)
	}
	v := newSession(w)
	if _, err := s.Promote(t.Context(), pending, session.DaemonID(w), v); err != nil {
		t.Fatal(err)
	}
	wantToken(t, s, session.DaemonID(w), v)
	wantLoadError(t, s, pending, store.ErrNoSession)
	slots, err := s.List()
	if err != nil || len(slots) != 1 || slots[0].ID != session.DaemonID(w) || slots[0].Backend != words.BackendFile {
		t.Fatalf("list: %+v, %v", slots, err)
	}
}
