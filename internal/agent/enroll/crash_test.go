package enroll_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/agentkeys/agentkeys/internal/agent/enroll"
	"github.com/agentkeys/agentkeys/internal/pairing"
	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/store"
	"github.com/agentkeys/agentkeys/internal/wallet"
)

// Every call of a pairing is once the last thing that the process does; the next
// process ends with one agent, and it is the one that the owner approved.
func TestACrashAtAnyStepOfAPairingMakesNoSecondAgent(t *testing.T) {
	t.Parallel()
	for step := 1; ; step++ {
		reached := false
		t.Run(fmt.Sprint("step ", step), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { reached = crashPairing(t, step) })
		})
		if !reached {
			if step < 6 {
				t.Fatalf("a pairing had only %d steps", step-1)
			}
			return
		}
	}
}

var errKilled = errors.New("killed")

// dyingStore kills the process around calls that write.
type dyingStore struct {
	enroll.Store
	fault func(call string) error
}

func (s dyingStore) Save(ctx context.Context, id session.ID, v session.Session) (store.Info, error) {
	if err := s.fault("save"); err != nil {
		return store.Info{}, err
	}
	info, err := s.Store.Save(ctx, id, v)
	return info, errors.Join(err, s.fault("save answer"))
}

func (s dyingStore) Promote(ctx context.Context, pending, id session.ID, v session.Session) (store.Info, error) {
	if err := s.fault("promote"); err != nil {
		return store.Info{}, err
	}
	if err := s.fault("promote between"); err != nil { // saved, but the pending slot is still there
		_, saveErr := s.Store.Save(ctx, id, v)
		return store.Info{}, errors.Join(err, saveErr)
	}
	info, err := s.Store.Promote(ctx, pending, id, v)
	return info, errors.Join(err, s.fault("promote answer"))
}

func (s dyingStore) Delete(ctx context.Context, id session.ID) error {
	return errors.Join(s.fault("delete"), s.Store.Delete(ctx, id))
}

// dyingUnit kills the process around the step that settles how the daemon is started.
type dyingUnit struct {
	unit
	fault func(call string) error
}

func (u *dyingUnit) Prepare(w wallet.Wallet) error {
	if err := u.fault("prepare"); err != nil {
		return err
	}
	return errors.Join(u.unit.Prepare(w), u.fault("prepare answer"))
}

func crashPairing(t *testing.T, step int) (reached bool) {
	b := newBoard(t)
	calls, dead := 0, false
	fault := func(string) error {
		calls++
		dead = dead || calls == step
		if dead {
			return errKilled
		}
		return nil
	}
	b.broker.fault = fault
	b.wrap = func(s enroll.Store) enroll.Store { return dyingStore{s, fault} }
	u := &dyingUnit{unit: unit{store: b.store}, fault: fault}
	b.unit = u
	approved := false
	b.onCode = func(c pairing.Code) {
		if !approved {
			b.owner.approve(c)
			approved = true
		}
	}
	first, err := b.pair(killable(t), wish())
	b.broker.fault, b.wrap, u.fault = nil, nil, func(string) error { return nil }
	if agents, _ := b.slots(); agents > 0 && len(u.prepared) == 0 {
		t.Fatal("there is a slot, and nothing says how its daemon is started")
	}
	if err == nil && !dead {
		return false
	}
	if _, pending := b.slots(); pending == 0 && !b.owner.agent.IsZero() {
		if _, _, err := b.store.Load(t.Context(), session.DaemonID(b.owner.agent)); err == nil {
			return true // only the last answer was lost: the agent is there and nothing is pending
		}
	}
	second, err := b.pair(t.Context(), wish())
	if err != nil {
		t.Fatalf("after %v: %v", first, err)
	}
	expect(t, "wallet", second.Wallet, b.owner.agent)
	for _, w := range u.prepared {
		expect(t, "prepared", w, second.Wallet)
	}
	agents, pending := b.slots()
	expect(t, "agents", agents, 1)
	expect(t, "pending slots", pending, 0)
	for _, code := range b.codes {
		expect(t, "the code stays the same", code, b.codes[0])
	}
	return true
}

// killable ends a pairing whose broker is dead for good soon.
func killable(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// robbedStore loses the pending slot in the moment before its promotion.
type robbedStore struct{ enroll.Store }

func (s robbedStore) Promote(ctx context.Context, pending, id session.ID, v session.Session) (store.Info, error) {
	if err := s.Store.Delete(ctx, pending); err != nil {
		return store.Info{}, err
	}
	return s.Store.Promote(ctx, pending, id, v)
}

// The agent is there at the broker: a second one would not help its owner.
func TestAPairingWhoseSlotWasRemovedAsksForARecovery(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBoard(t)
		b.wrap = func(s enroll.Store) enroll.Store { return robbedStore{s} }
		b.onCode = func(c pairing.Code) { b.owner.approve(c) }
		_, err := b.pair(t.Context(), wish())
		if !errors.Is(err, enroll.ErrGone) || !strings.Contains(err.Error(), b.owner.agent.String()) {
			t.Errorf("%v, want ErrGone and the wallet", err)
		}
		agents, pending := b.slots()
		expect(t, "agents", agents, 0)
		expect(t, "pending slots", pending, 0)
	})
}
