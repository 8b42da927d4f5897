package store_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/store"
	"github.com/agentkeys/agentkeys/internal/store/storetest"
	"github.com/agentkeys/agentkeys/internal/wallet"
	"github.com/agentkeys/agentkeys/internal/words"
)

// record writes down what an Observer hears.
type record struct {
	mu     sync.Mutex
	lines  []string
	writes int
}

func (r *record) add(line string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines = append(r.lines, line)
}

func (r *record) StoreOperation(operation string, backend words.Backend, result words.StoreResult) {
	r.add(fmt.Sprint(operation, " ", backend, " ", result))
}
func (r *record) StoreFallback(reason string) { r.add("fallback " + reason) }

func (r *record) StateWrite() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.writes++
}

func TestObserverHearsEachOperationOnce(t *testing.T) {
	t.Parallel()
	seen, ring, id := &record{}, storetest.NewKeyring(), session.Master()
	s := open(t, store.Config{Keychain: ring.Client(nil), Observer: seen})
	wantLoadError(t, s, id, store.ErrNoSession)
	v := newSession(wallet.New())
	save(t, s, id, v)
	wantToken(t, s, id, v)
	ring.SetState(words.KeychainLocked)
	wantLoadError(t, s, id, store.ErrUnavailable)
	save(t, s, id, v)
	if err := s.Delete(t.Context(), id); !errors.Is(err, store.ErrInDoubt) {
		t.Fatalf("delete: %v", err)
	}
	ring.SetState(words.KeychainUnlocked)
	must(t, s.ReconcileSlot(t.Context(), id), s.ReconcileSlot(t.Context(), id), s.ReconcileSlot(t.Context(), id))
	want := []string{
		"load none no_session", "save keychain ok", "load keychain ok", "load none unavailable",
		"fallback locked", "save file ok", "delete file in_doubt",
		"reconcile file ok", "reconcile file ok", // deletes; checks once more; then nothing is left to do
	}
	if diff := cmp.Diff(want, seen.lines); diff != "" {
		t.Error(diff)
	}
	if want := 2 + 1 + 1 + 2 + 1; seen.writes != want {
		t.Errorf("%d writes, want %d", seen.writes, want)
	}
}

func TestConfigurationsThatMakeNoSense(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]store.Config{
		"no home":               {},
		"relative home":         {Home: "x"},
		"unknown mode":          {Home: "/x", Mode: "cloud"},
		"keychain without one":  {Home: "/x", Mode: words.ModeKeychain},
		"mode in other letters": {Home: "/x", Mode: "File"},
	} {
		if _, err := store.New(cfg); !errors.Is(err, store.ErrConfig) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestListNamesOnlySlots(t *testing.T) {
	t.Parallel()
	s, w := open(t, store.Config{Mode: words.ModeFile}), wallet.New()
	if slots, err := s.List(); err != nil || len(slots) != 0 {
		t.Fatalf("no home: %v, %v", slots, err)
	}
	deleted, bad := session.DaemonID(w), session.DaemonID(wallet.New())
	save(t, s, session.Master(), newSession(w))
	save(t, s, deleted, newSession(w))
	save(t, s, bad, newSession(w))
	must(t, s.Delete(t.Context(), deleted),
		os.Chmod(s.Dir(bad), 0o755),
		os.Mkdir(filepath.Join(s.Home(), "empty"), 0o700),
		os.Mkdir(filepath.Join(s.Home(), "daemon-0xABC"), 0o700),
		os.WriteFile(filepath.Join(s.Home(), "session.json"), nil, 0o600))
	slots, err := s.List()
	must(t, err)
	got := map[string]string{}
	for _, slot := range slots {
		got[slot.ID.String()] = fmt.Sprintln(slot.Backend, slot.Tombstone, slot.Generation, errors.Is(slot.Err, store.ErrInsecure))
	}
	want := map[string]string{"master": "file false 1 false\n", deleted.String(): "none true 2 false\n", bad.String(): "none false 0 true\n"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
