package store_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/store"
	"github.com/agentkeys/agentkeys/internal/words"
	"github.com/agentkeys/agentkeys/test/needs"
)

func TestInvariant13PromoteMayStopAnywhereAndBeRepeated(t *testing.T) {
	needs.Sequential(t)
	t.Parallel()
	for _, mode := range modes() {
		for _, power := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s mode, power lost: %v", mode, power), func(t *testing.T) {
				t.Parallel()
				for at := 0; at < 200; at++ {
					if !promoteAt(t, mode, power, at) {
						return
					}
				}
				t.Fatal("Promote took more than 200 operations")
			})
		}
	}
	histories(t, allSteps(stepPair, stepPromote, stepPromote, stepPromote, stepInterrupt, stepInterrupt, stepDelete, stepPowerCut))
}

// promoteAt dies at the at-th operation of Promote, then repeats it.
func promoteAt(t *testing.T, mode words.Mode, power bool, at int) (died bool) {
	t.Helper()
	m := newMachine(mode, storeMaker)
	pending, v := session.NewPendingID(), newSession(m.wallet)
	if _, err := m.subs[0].Save(t.Context(), pending, newPending()); err != nil {
		t.Fatal(err)
	}
	m.procs[0].CrashAfter(at)
	_, err := m.subs[0].(*store.Store).Promote(t.Context(), pending, m.id, v)
	died = m.procs[0].Dead()
	if power {
		m.powerCut(rand.New(rand.NewPCG(uint64(at), 1)).IntN)
	}
	if err == nil {
		return died // acknowledged; other tests look at what follows
	}
	m.revive(0)
	s := m.subs[0].(*store.Store)
	if _, _, err := s.Load(t.Context(), m.id); errors.Is(err, store.ErrNoSession) {
		if _, _, err := s.Load(t.Context(), pending); err != nil {
			t.Fatalf("crash at %d: neither slot has a session: %v", at, err)
		}
	}
	m.ring.Restart()
	if err := s.ReconcileSlot(t.Context(), m.id); err != nil {
		t.Fatalf("crash at %d: reconcile: %v", at, err)
	}
	for range 2 {
		if _, err := s.Promote(t.Context(), pending, m.id, v); err != nil {
			t.Fatalf("crash at %d: promote again: %v", at, err)
		}
	}
	wantToken(t, s, m.id, v)
	wantLoadError(t, s, pending, store.ErrNoSession)
	return died
}
