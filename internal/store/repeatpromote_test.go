package store_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/store"
	"github.com/agentkeys/agentkeys/internal/words"
)

// cutPromote lets Promote die at each operation after which the session is in the
// final slot and the pending one is still there, and hands the rest to then.
func cutPromote(t *testing.T, mode words.Mode, then func(t *testing.T, m *machine, again func() error, v session.Session)) {
	t.Helper()
	cuts := 0
	for at := range 100 {
		m := newMachine(mode, storeMaker)
		pending, v := session.NewPendingID(), newSession(m.wallet)
		save(t, storeOf(m, 1), pending, newPending())
		m.procs[0].CrashAfter(at)
		_, err := storeOf(m, 0).Promote(t.Context(), pending, m.id, v)
		if err == nil {
			break
		}
		if _, _, err := storeOf(m, 1).Load(t.Context(), pending); err != nil {
			continue
		}
		if kept, _, err := storeOf(m, 1).Load(t.Context(), m.id); err != nil || !kept.Token.Equal(v.Token) {
			continue
		}
		cuts++
		t.Run(fmt.Sprintf("cut at %d", at), func(t *testing.T) {
			then(t, m, func() error {
				_, err := storeOf(m, 1).Promote(t.Context(), pending, m.id, v)
				if _, _, gone := storeOf(m, 1).Load(t.Context(), pending); !errors.Is(gone, store.ErrNoSession) {
					t.Errorf("the pending slot is still there: %v", gone)
				}
				return err
			}, v)
		})
	}
	if cuts == 0 {
		t.Fatal("Promote was never cut between its halves")
	}
}

// renew is what a daemon does with what it serves.
func renew(t *testing.T, s *store.Store, id session.ID) session.Session {
	t.Helper()
	v, info, err := s.Load(t.Context(), id)
	must(t, err)
	v.Token = session.NewToken()
	_, err = s.SaveOver(t.Context(), id, info.Generation, v)
	must(t, err)
	return v
}

// The broker does not accept the token that was promoted any more: a keychain that cannot be
// read while the promote is repeated must not bring it back.
func TestAPromoteThatIsRepeatedDoesNotUndoARenewal(t *testing.T) {
	t.Parallel()
	cutPromote(t, words.ModeAuto, func(t *testing.T, m *machine, again func() error, _ session.Session) {
		renewed := renew(t, storeOf(m, 1), m.id)
		m.ring.SetState(words.KeychainLocked)
		must(t, again())
		m.ring.SetState(words.KeychainUnlocked)
		wantToken(t, storeOf(m, 1), m.id, renewed)
	})
}

// A person forgot the wallet after the promote was cut off.
func TestAPromoteThatIsRepeatedDoesNotUndoADelete(t *testing.T) {
	t.Parallel()
	for _, mode := range modes() {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			cutPromote(t, mode, func(t *testing.T, m *machine, again func() error, _ session.Session) {
				if err := storeOf(m, 1).Delete(t.Context(), m.id); err != nil && !errors.Is(err, store.ErrInDoubt) {
					t.Fatal(err)
				}
				if err := again(); !errors.Is(err, store.ErrNoSession) {
					t.Errorf("repeated after a delete: %v, want ErrNoSession", err)
				}
				wantLoadError(t, storeOf(m, 1), m.id, store.ErrNoSession)
				v, other := newSession(m.wallet), session.NewPendingID()
				save(t, storeOf(m, 1), other, newPending())
				if _, err := storeOf(m, 1).Promote(t.Context(), other, m.id, v); err != nil && mode != words.ModeKeychain {
					t.Fatalf("another pairing: %v", err)
				} else if err == nil {
					wantToken(t, storeOf(m, 1), m.id, v)
				}
			})
		})
	}
}

// Another pairing of the same wallet was completed after the cut.
func TestAPromoteThatIsRepeatedDoesNotReplaceANewerPairing(t *testing.T) {
	t.Parallel()
	cutPromote(t, words.ModeFile, func(t *testing.T, m *machine, again func() error, _ session.Session) {
		newer, other := newSession(m.wallet), session.NewPendingID()
		save(t, storeOf(m, 1), other, newPending())
		_, err := storeOf(m, 1).Promote(t.Context(), other, m.id, newer)
		must(t, err, again())
		wantToken(t, storeOf(m, 1), m.id, newer)
	})
}

// A promote that was cut off before it saved anything is repeated, whatever was saved since.
func TestAPromoteThatSavedNothingIsRepeated(t *testing.T) {
	t.Parallel()
	for at := range 100 {
		m := newMachine(words.ModeAuto, storeMaker)
		pending, v := session.NewPendingID(), newSession(m.wallet)
		save(t, storeOf(m, 1), pending, newPending())
		old := save(t, storeOf(m, 1), m.id, newSession(m.wallet))
		m.procs[0].CrashAfter(at)
		_, err := storeOf(m, 0).Promote(t.Context(), pending, m.id, v)
		if err == nil {
			return
		}
		if _, info, err := storeOf(m, 1).Load(t.Context(), m.id); err != nil || info.Generation != old.Generation {
			continue
		}
		renew(t, storeOf(m, 1), m.id)
		_, err = storeOf(m, 1).Promote(t.Context(), pending, m.id, v)
		must(t, err)
		wantToken(t, storeOf(m, 1), m.id, v)
	}
}

// A head does not remember what it took long ago. A promote that is repeated then finds no
// pending slot and changes nothing, and so does one whose pairing was dropped.
func TestAPromoteOfASlotThatIsGoneSavesNothing(t *testing.T) {
	t.Parallel()
	for _, mode := range modes() {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			m := newMachine(mode, storeMaker)
			s, first, v := storeOf(m, 1), session.NewPendingID(), newSession(m.wallet)
			promote := func(pending session.ID, v session.Session) error {
				_, err := s.Promote(t.Context(), pending, m.id, v)
				return err
			}
			never := session.NewPendingID()
			if err := promote(never, v); !errors.Is(err, store.ErrNoSession) {
				t.Errorf("a pending slot that was never saved: %v, want ErrNoSession", err)
			}
			if slots, err := s.List(); err != nil || len(slots) != 0 {
				t.Errorf("a promote of nothing made %+v, %v", slots, err)
			}
			save(t, s, first, newPending())
			must(t, promote(first, v))
			for range 20 {
				v, next := newSession(m.wallet), session.NewPendingID()
				save(t, s, next, newPending())
				must(t, promote(next, v))
			}
			must(t, s.Delete(t.Context(), m.id))
			if err := promote(first, v); !errors.Is(err, store.ErrNoSession) {
				t.Errorf("taken long ago: %v, want ErrNoSession", err)
			}
			wantLoadError(t, s, m.id, store.ErrNoSession)
			dropped := session.NewPendingID()
			save(t, s, dropped, newPending())
			must(t, s.Delete(t.Context(), dropped))
			if err := promote(dropped, v); !errors.Is(err, store.ErrNoSession) {
				t.Errorf("dropped: %v, want ErrNoSession", err)
			}
			wantLoadError(t, s, m.id, store.ErrNoSession)
		})
	}
}

// The pending slot was removed after the cut. What the keychain took is found; while the
// keychain cannot be read, the answer is neither that there is none nor that there is one.
func TestAPromoteThatWasCutOffAndLostItsSlot(t *testing.T) {
	t.Parallel()
	cutPromote(t, words.ModeAuto, func(t *testing.T, m *machine, again func() error, v session.Session) {
		s := storeOf(m, 1)
		_, held, err := s.Load(t.Context(), m.id)
		must(t, err)
		slots, err := s.List()
		must(t, err)
		for _, slot := range slots {
			if slot.ID.IsPending() {
				must(t, s.Delete(t.Context(), slot.ID))
			}
		}
		m.ring.SetState(words.KeychainLocked)
		if err := again(); err != nil && !errors.Is(err, store.ErrInDoubt) {
			t.Errorf("locked: %v", err)
		}
		m.ring.SetState(words.KeychainUnlocked)
		must(t, again())
		if info := wantToken(t, s, m.id, v); info.Generation != held.Generation {
			t.Errorf("generation %d, want %d", info.Generation, held.Generation)
		}
	})
}

// Two processes promote the same slot, and a daemon renews in between: the second process
// read the head before the first one wrote it.
func TestAPromoteDuringAnotherDoesNotUndoARenewal(t *testing.T) {
	t.Parallel()
	for at := range 100 {
		m := newMachine(words.ModeFile, storeMaker)
		pending, v := session.NewPendingID(), newSession(m.wallet)
		save(t, storeOf(m, 1), pending, newPending())
		save(t, storeOf(m, 1), m.id, newSession(m.wallet))
		var renewed session.Session
		interrupted := false
		m.procs[0].Interrupt(at, func() {
			ctx, cancel := untilBusy(t, m, 1)
			defer cancel()
			if _, err := storeOf(m, 1).Promote(ctx, pending, m.id, v); err != nil {
				return
			}
			renewed, interrupted = renew(t, storeOf(m, 1), m.id), true
		})
		_, err := storeOf(m, 0).Promote(t.Context(), pending, m.id, v)
		must(t, err)
		if interrupted {
			wantToken(t, storeOf(m, 1), m.id, renewed)
		}
	}
}

// untilBusy is a context for a call of process i that ends as soon as it finds a lock
// taken: its holder is the process that was interrupted.
func untilBusy(t *testing.T, m *machine, i int) (context.Context, context.CancelFunc) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	m.procs[i].WhenBusy(cancel)
	return ctx, cancel
}
