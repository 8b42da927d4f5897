package store_test

import (
	"fmt"
	"testing"

	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/store"
	"github.com/agentkeys/agentkeys/internal/wallet"
	"github.com/agentkeys/agentkeys/internal/words"
)

// repeated lets one process crash at each operation of a call, a second process repeat
// the call, and the power fail after that was acknowledged.
func repeated(t *testing.T, prepare func(*machine) error, call func(*store.Store, *machine) error, check func(*store.Store, *machine) error) {
	t.Helper()
	for at := range 60 {
		for choice := range 8 {
			m := newMachine(words.ModeFile, storeMaker)
			if err := prepare(m); err != nil {
				t.Fatal(err)
			}
			m.procs[0].CrashAfter(at)
			_ = call(storeOf(m, 0), m) // crashed, as a rule
			if err := call(storeOf(m, 1), m); err != nil {
				t.Fatalf("crash at %d, repeated: %v", at, err)
			}
			m.powerCut(func(n int) int { return choice % n })
			if err := check(storeOf(m, 1), m); err != nil {
				t.Fatalf("crash at %d, repeated by another process, power cut %d: %v", at, choice, err)
			}
		}
	}
}

func storeOf(m *machine, i int) *store.Store { return m.subs[i].(*store.Store) }

// The first process may have died between the rename of the tombstone and the sync
// of its directory: the second one finds a tombstone, and must not call that done.
func TestADeleteThatIsRepeatedIsDurable(t *testing.T) {
	t.Parallel()
	repeated(t, func(m *machine) error {
		_, err := storeOf(m, 1).Save(t.Context(), m.id, newSession(m.wallet))
		return err
	}, func(s *store.Store, m *machine) error {
		return s.Delete(t.Context(), m.id)
	}, func(s *store.Store, m *machine) error {
		if _, info, err := s.Load(t.Context(), m.id); err == nil {
			return fmt.Errorf("resurrected, generation %d", info.Generation)
		}
		return nil
	})
}

// The same for a promote, which removes the pending copy once it is done.
func TestAPromoteThatIsRepeatedIsDurable(t *testing.T) {
	t.Parallel()
	pending, w := session.NewPendingID(), wallet.New()
	v := newSession(w)
	repeated(t, func(m *machine) error {
		_, err := storeOf(m, 1).Save(t.Context(), pending, newPending())
		return err
	}, func(s *store.Store, m *machine) error {
		_, err := s.Promote(t.Context(), pending, m.id, v)
		return err
	}, func(s *store.Store, m *machine) error {
		got, _, err := s.Load(t.Context(), m.id)
		if err == nil && !got.Token.Equal(v.Token) {
			return fmt.Errorf("another session")
		}
		return err
	})
}
