package store_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/agentkeys/agentkeys/internal/atomicfile"
	"github.com/agentkeys/agentkeys/internal/store"
	"github.com/agentkeys/agentkeys/internal/store/storetest"
	"github.com/agentkeys/agentkeys/internal/wallet"
	"github.com/agentkeys/agentkeys/internal/words"
)

// whileLocked does something while the keychain is locked.
func (b *stateFixture) whileLocked(do func()) {
	b.ring.SetState(words.KeychainLocked)
	do()
	b.ring.SetState(words.KeychainUnlocked)
}

// whileHung does something while the keychain does not answer one kind of operation, which
// it may do later.
func (b *stateFixture) whileHung(op storetest.Operation, do func()) {
	b.ring.SetFault(func(o storetest.Operation) storetest.Fault {
		if o == op {
			return storetest.FaultHang
		}
		return storetest.FaultNone
	})
	do()
	b.ring.SetFault(nil)
}

func (b *stateFixture) save() { _, _ = b.Save(context.Background(), b.id, newSession(wallet.New())) }
func (b *stateFixture) del()  { _ = b.Delete(context.Background(), b.id) }
func (b *stateFixture) load() { _, _, _ = b.Load(context.Background(), b.id) }

// saveCut is a save whose process ends at the put.
func (b *stateFixture) saveCut(t *testing.T) {
	t.Helper()
	process := b.start(t, words.ModeAuto)
	b.ring.SetFault(func(op storetest.Operation) storetest.Fault {
		if op == storetest.OperationPut {
			process.Kill()
			return storetest.FaultHang
		}
		return storetest.FaultNone
	})
	b.save()
	b.ring.SetFault(nil)
	b.start(t, words.ModeAuto)
}

// reconcile is the first one of a process: a session may be moved at once.
func (b *stateFixture) reconcile(t *testing.T) {
	t.Helper()
	b.clock = b.clock.Add(11 * time.Minute)
	b.start(t, words.ModeAuto)
	_ = b.ReconcileSlot(context.Background(), b.id)
}

// late lets the operation in doubt be done.
func (b *stateFixture) late() { b.ring.ApplyLate(0) }

// recipes bring an empty slot into each state.
func recipes() map[string]func(*testing.T, *stateFixture) {
	filed := func(b *stateFixture) { b.whileLocked(b.save) }
	return map[string]func(*testing.T, *stateFixture){
		"absent":          func(*testing.T, *stateFixture) {},
		"first":           func(t *testing.T, b *stateFixture) { b.saveCut(t) },
		"keychain":        func(_ *testing.T, b *stateFixture) { b.save() },
		"keychain-new":    func(t *testing.T, b *stateFixture) { b.save(); b.saveCut(t) },
		"keychain-fenced": func(t *testing.T, b *stateFixture) { b.saveCut(t); b.late(); b.load() },
		"file":            func(_ *testing.T, b *stateFixture) { filed(b) },
		"file-old":        func(_ *testing.T, b *stateFixture) { b.save(); filed(b) },
		"file-new":        func(t *testing.T, b *stateFixture) { filed(b); b.saveCut(t) },
		"file-fenced":     func(_ *testing.T, b *stateFixture) { b.whileHung(storetest.OperationPut, b.save) },
		"deleted":         func(_ *testing.T, b *stateFixture) { filed(b); b.del() },
		"deleted-old":     func(_ *testing.T, b *stateFixture) { b.save(); b.whileLocked(b.del) },
		"deleted-once":    func(_ *testing.T, b *stateFixture) { b.save(); b.del() },
		"deleted-new":     func(t *testing.T, b *stateFixture) { filed(b); b.del(); b.saveCut(t) },
		"deleted-fenced":  func(_ *testing.T, b *stateFixture) { b.save(); b.whileHung(storetest.OperationDelete, b.del) },
		"corrupt": func(t *testing.T, b *stateFixture) {
			filed(b)
			b.overwriteHead(t, "not a head")
			b.load()
		},
	}
}

func (b *stateFixture) overwriteHead(t *testing.T, text string) {
	t.Helper()
	dir, err := b.disk.Process().OpenDir(b.Dir(b.id))
	must(t, err)
	must(t, atomicfile.Write(dir, "session.json", []byte(text)))
}

// events are the columns of the tables of transitions.
func events() map[string]func(*testing.T, *stateFixture) {
	only := func(do func(*stateFixture)) func(*testing.T, *stateFixture) {
		return func(t *testing.T, b *stateFixture) { b.start(t, words.ModeKeychain); do(b) }
	}
	return map[string]func(*testing.T, *stateFixture){
		"save":        func(_ *testing.T, b *stateFixture) { b.save() },
		"save-locked": func(_ *testing.T, b *stateFixture) { b.whileLocked(b.save) },
		"save-hung":   func(_ *testing.T, b *stateFixture) { b.whileHung(storetest.OperationPut, b.save) },
		"save-cut":    func(t *testing.T, b *stateFixture) { b.saveCut(t) },
		"only-save":   only(func(b *stateFixture) { b.save() }),
		"only-locked": only(func(b *stateFixture) { b.whileLocked(b.save) }),
		"only-hung":   only(func(b *stateFixture) { b.whileHung(storetest.OperationPut, b.save) }),

		"delete":        func(_ *testing.T, b *stateFixture) { b.del() },
		"delete-locked": func(_ *testing.T, b *stateFixture) { b.whileLocked(b.del) },
		"delete-hung":   func(_ *testing.T, b *stateFixture) { b.whileHung(storetest.OperationDelete, b.del) },

		"load":           func(_ *testing.T, b *stateFixture) { b.load() },
		"load-late":      func(_ *testing.T, b *stateFixture) { b.late(); b.load() },
		"reconcile":      func(t *testing.T, b *stateFixture) { b.reconcile(t) },
		"reconcile-late": func(t *testing.T, b *stateFixture) { b.late(); b.reconcile(t) },
		"replaced":       func(t *testing.T, b *stateFixture) { b.ring.Restart(); b.reconcile(t) },
		"replaced-late":  func(t *testing.T, b *stateFixture) { b.late(); b.ring.Restart(); b.reconcile(t) },
	}
}

// TestTransitions is drawn from the tables of the package comment: it brings a store into
// each state and through each transition.
func TestTransitions(t *testing.T) {
	t.Parallel()
	states, transitions := readTables(t)
	for from, cells := range transitions {
		for event, to := range cells {
			t.Run(from+" "+event, func(t *testing.T) {
				t.Parallel()
				b := newStateFixture(t, states)
				enter(t, b, from)
				if late := b.ring.Late() > 0; strings.HasSuffix(event, "-late") && late != (to != "-") {
					t.Fatalf("an operation may be done late: %v, the table says %q", late, to)
				}
				if to == "-" {
					return
				}
				happen := events()[event]
				if happen == nil {
					t.Fatalf("no event %q", event)
				}
				happen(t, b)
				if to == "." {
					to = from
				}
				if got := b.state(t); got != to {
					t.Errorf("%s, and then %s: %s, the table says %s", from, event, got, to)
				}
			})
		}
	}
	for event := range events() {
		if _, ok := transitions["absent"][event]; !ok {
			t.Errorf("no table has the event %q", event)
		}
	}
}

// enter brings a slot into a state.
func enter(t *testing.T, b *stateFixture, state string) {
	t.Helper()
	recipe := recipes()[state]
	if recipe == nil {
		t.Fatalf("no recipe for the state %q", state)
	}
	recipe(t, b)
	if got := b.state(t); got != state {
		t.Fatalf("the recipe for %s leads to %s", state, got)
	}
}

// TestLoadInEachState holds the last two columns of the table of states.
func TestLoadInEachState(t *testing.T) {
	t.Parallel()
	states, _ := readTables(t)
	for state, row := range states {
		t.Run(state, func(t *testing.T) {
			t.Parallel()
			b := newStateFixture(t, states)
			enter(t, b, state)
			b.whileLocked(func() { b.wantAnswer(t, "locked", row["locked"]) })
			b.wantAnswer(t, "healthy", row["Load"])
		})
	}
}

func (b *stateFixture) wantAnswer(t *testing.T, keychain, want string) {
	t.Helper()
	_, _, err := b.Load(t.Context(), b.id)
	answers := map[string]error{
		"session": nil, "ErrNoSession": store.ErrNoSession, "ErrUnavailable": store.ErrUnavailable, "ErrCorrupt": store.ErrCorrupt,
	}
	if expected, ok := answers[want]; !ok || !errors.Is(err, expected) {
		t.Errorf("keychain %s: %v, the table says %s", keychain, err, want)
	}
}
