package store_test

import (
	"encoding/base64"
	"errors"
	"testing"
	"time"

	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/store"
	"github.com/agentkeys/agentkeys/internal/store/storetest"
	"github.com/agentkeys/agentkeys/internal/wallet"
)

// A delete that timed out lands after the slot was saved again.
func TestALateDeleteDoesNotHitTheNextSession(t *testing.T) {
	t.Parallel()
	for _, fault := range []storetest.Fault{storetest.FaultHang, storetest.FaultLieLate} {
		t.Run(string(fault), func(t *testing.T) {
			t.Parallel()
			b := newBench(t, store.ModeAuto)
			save(t, b.Store, b.id, newSession(wallet.New()))
			b.ring.SetFault(func(op storetest.Operation) storetest.Fault {
				if op == storetest.OperationDelete {
					return fault
				}
				return storetest.FaultNone
			})
			if err := b.Delete(t.Context(), b.id); !errors.Is(err, store.ErrInDoubt) {
				t.Fatalf("delete: %v", err)
			}
			wantLoadError(t, b.Store, b.id, store.ErrNoSession)
			b.ring.SetFault(nil)
			v := newSession(wallet.New())
			save(t, b.Store, b.id, v)
			b.ring.Land(0)
			wantToken(t, b.Store, b.id, v)
		})
	}
}

// lyingDelete deletes the slot's session in a keychain that says it is gone, does not
// show it, and has it still: until the late delete lands.
func lyingDelete(t *testing.T, b *bench) {
	t.Helper()
	deleted := false
	b.ring.SetFault(func(op storetest.Operation) storetest.Fault {
		if deleted = deleted || op == storetest.OperationDelete; deleted {
			return storetest.FaultLieLate
		}
		return storetest.FaultNone
	})
	must(t, b.Delete(t.Context(), b.id))
	b.ring.SetFault(nil)
	if len(b.ring.Items()) != 1 || b.ring.Late() != 1 {
		t.Fatal("the entry is gone: this shows nothing")
	}
}

// What a keychain said in the same breath as a delete is not believed by the next save.
func TestADeleteIsLookedAtAgainBeforeTheNextSave(t *testing.T) {
	t.Parallel()
	b := newBench(t, store.ModeAuto)
	save(t, b.Store, b.id, newSession(wallet.New()))
	lyingDelete(t, b)
	wantLoadError(t, b.Store, b.id, store.ErrNoSession)
	v := newSession(wallet.New())
	if info := save(t, b.Store, b.id, v); info.Backend != store.BackendFile || info.Fallback != "in_doubt" || !info.InDoubt {
		t.Fatalf("%+v", info)
	}
	b.ring.Land(0)
	wantToken(t, b.Store, b.id, v)
	b.ring.Restart()
	for range 5 {
		b.clock = b.clock.Add(11 * time.Minute)
		must(t, b.ReconcileSlot(t.Context(), b.id))
	}
	if info := wantToken(t, b.Store, b.id, v); info.Backend != store.BackendKeychain || info.InDoubt {
		t.Fatalf("%+v", info)
	}
}

func TestInKeychainModeADeleteThatWasNotDoneRefusesTheSave(t *testing.T) {
	t.Parallel()
	b := newBench(t, store.ModeKeychain)
	save(t, b.Store, b.id, newSession(wallet.New()))
	lyingDelete(t, b)
	if _, err := b.Save(t.Context(), b.id, newSession(wallet.New())); !errors.Is(err, store.ErrInDoubt) {
		t.Fatal(err)
	}
	wantLoadError(t, b.Store, b.id, store.ErrNoSession)
	b.ring.Restart()
	v := newSession(wallet.New())
	for range 5 {
		b.clock = b.clock.Add(11 * time.Minute)
		must(t, b.ReconcileSlot(t.Context(), b.id))
	}
	save(t, b.Store, b.id, v)
	wantToken(t, b.Store, b.id, v)
}

// A second delete finds what the first had removed: the first may still land.
func TestADeleteOfWhatWasDeletedStaysInDoubt(t *testing.T) {
	t.Parallel()
	for name, again := range map[string]func(*bench) error{
		"delete":    func(b *bench) error { return b.Delete(t.Context(), b.id) },
		"reconcile": func(b *bench) error { return b.ReconcileSlot(t.Context(), b.id) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, store.ModeAuto)
			save(t, b.Store, b.id, newSession(wallet.New()))
			lyingDelete(t, b)
			if err := again(b); err != nil && !errors.Is(err, store.ErrInDoubt) {
				t.Fatal(err)
			}
			v := newSession(wallet.New())
			if info := save(t, b.Store, b.id, v); info.Backend != store.BackendFile {
				t.Fatalf("%+v", info)
			}
			b.ring.Land(0)
			wantToken(t, b.Store, b.id, v)
		})
	}
}

// A delete that was done costs the next save nothing but a look.
func TestAfterADeleteTheKeychainIsUsedAgain(t *testing.T) {
	t.Parallel()
	b := newBench(t, store.ModeAuto)
	save(t, b.Store, b.id, newSession(wallet.New()))
	must(t, b.Delete(t.Context(), b.id))
	looks := b.ring.Calls("get")
	if info := save(t, b.Store, b.id, newSession(wallet.New())); info.Backend != store.BackendKeychain || info.InDoubt {
		t.Fatalf("%+v", info)
	}
	save(t, b.Store, b.id, newSession(wallet.New()))
	if n := b.ring.Calls("get") - looks; n != 3 { // the look, and each save's read back
		t.Errorf("%d looks", n)
	}
}

// Once a reader has seen the session of a first save that was cut off, a keychain
// that denies the entry must not make the slot look empty.
func TestASessionThatWasSeenIsNeverAbsentAgain(t *testing.T) {
	t.Parallel()
	for at := range 60 {
		m := newMachine(store.ModeAuto, storeMaker)
		m.procs[0].CrashAfter(at)
		_ = m.save(t, 0)
		_ = m.load(t, 1)
		m.ring.SetFault(func(storetest.Operation) storetest.Fault { return storetest.FaultLie })
		_ = m.load(t, 1)
	}
}

// The number of a pending generation is not enough: the bytes must be those that
// the intent announced.
func TestAPendingGenerationIsBelievedByItsDigestOnly(t *testing.T) {
	t.Parallel()
	b := newBench(t, store.ModeKeychain)
	save(t, b.Store, b.id, newSession(wallet.New()))
	b.ring.SetFault(inTurn(0, []storetest.Fault{storetest.FaultLost}))
	next := newSession(wallet.New())
	if _, err := b.Save(t.Context(), b.id, next); !errors.Is(err, store.ErrInDoubt) {
		t.Fatalf("save: %v", err)
	}
	entry := func(v session.Session) string {
		payload, err := v.Encode()
		must(t, err)
		return "ak1.2." + base64.RawURLEncoding.EncodeToString(payload)
	}
	b.ring.Set("master", entry(newSession(wallet.New())))
	wantLoadError(t, b.Store, b.id, store.ErrInconsistent)
	b.ring.Set("master", entry(next))
	if info := wantToken(t, b.Store, b.id, next); info.Generation != 2 || !info.InDoubt {
		t.Fatalf("%+v", info)
	}
}
