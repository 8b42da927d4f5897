package store_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/agentkeys/agentkeys/internal/store"
	"github.com/agentkeys/agentkeys/internal/store/storetest"
	"github.com/agentkeys/agentkeys/internal/wallet"
)

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
		"delete": func(b *bench) error {
			if err := b.Delete(t.Context(), b.id); !errors.Is(err, store.ErrInDoubt) {
				return fmt.Errorf("%w, want in doubt", err)
			}
			return nil
		},
		"reconcile": func(b *bench) error { return b.ReconcileSlot(t.Context(), b.id) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, store.ModeAuto)
			save(t, b.Store, b.id, newSession(wallet.New()))
			lyingDelete(t, b)
			must(t, again(b))
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

// Where the keychain does not answer the look, nothing is put there, and the next save looks
// again.
func TestALookThatIsNotAnsweredIsRepeated(t *testing.T) {
	t.Parallel()
	hidden := func(op storetest.Operation) storetest.Fault {
		if op == storetest.OperationGet {
			return storetest.FaultLost
		}
		return storetest.FaultNone
	}
	for mode, judge := range map[store.Mode]func(store.Info, error) bool{
		store.ModeAuto: func(info store.Info, err error) bool {
			return err == nil && info.Backend == store.BackendFile && info.Fallback == "hung"
		},
		store.ModeKeychain: func(_ store.Info, err error) bool { return errors.Is(err, store.ErrUnavailable) },
	} {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			b := newBench(t, mode)
			save(t, b.Store, b.id, newSession(wallet.New()))
			lyingDelete(t, b)
			b.ring.SetFault(hidden)
			puts := b.ring.Calls("put")
			if info, err := b.Save(t.Context(), b.id, newSession(wallet.New())); !judge(info, err) {
				t.Fatalf("%+v, %v", info, err)
			}
			if n := b.ring.Calls("put") - puts; n != 0 {
				t.Errorf("%d puts", n)
			}
			b.ring.SetFault(nil)
			v := newSession(wallet.New())
			info, err := b.Save(t.Context(), b.id, v)
			if err == nil && info.Backend != store.BackendFile || err != nil && !errors.Is(err, store.ErrInDoubt) {
				t.Fatalf("%+v, %v", info, err)
			}
		})
	}
}

// A move into the keychain looks too, and one that failed is not tried again at once.
func TestAMoveLooksForWhatWasRemoved(t *testing.T) {
	t.Parallel()
	b := newBench(t, store.ModeAuto)
	save(t, b.Store, b.id, newSession(wallet.New()))
	must(t, b.Delete(t.Context(), b.id))
	b.ring.SetState(store.StateLocked)
	v := newSession(wallet.New())
	save(t, b.Store, b.id, v)
	b.ring.SetState(store.StateUnlocked)
	b.ring.SetFault(func(storetest.Operation) storetest.Fault { return storetest.FaultLost })
	failed := 0
	looks := b.ring.Calls("get")
	for range 12 {
		b.clock = b.clock.Add(40 * time.Second)
		if err := b.ReconcileSlot(t.Context(), b.id); err != nil {
			failed++
		}
	}
	if n := b.ring.Calls("get") - looks; failed != 1 || n != 1 {
		t.Errorf("%d failures, %d looks in 8 minutes", failed, n)
	}
	b.ring.SetFault(nil)
	for range 5 {
		b.clock = b.clock.Add(5 * time.Minute)
		must(t, b.ReconcileSlot(t.Context(), b.id))
	}
	if info := wantToken(t, b.Store, b.id, v); info.Backend != store.BackendKeychain {
		t.Errorf("%+v", info)
	}
}

// The provider was replaced between the probe and the delete: it is the new one that the
// delete may still land at.
func TestAFenceNamesTheProviderThatHasTheDelete(t *testing.T) {
	t.Parallel()
	for _, fault := range []storetest.Fault{storetest.FaultHang, storetest.FaultLieLate} {
		t.Run(string(fault), func(t *testing.T) {
			t.Parallel()
			b := newBench(t, store.ModeAuto)
			save(t, b.Store, b.id, newSession(wallet.New()))
			deleted := false
			b.ring.SetFault(func(op storetest.Operation) storetest.Fault {
				if op == storetest.OperationDelete {
					b.ring.ReplaceDuringCall()
					deleted = true
				}
				if deleted {
					return fault // and so the look that follows shows nothing
				}
				return storetest.FaultNone
			})
			if err := b.Delete(t.Context(), b.id); !errors.Is(err, store.ErrInDoubt) {
				t.Fatal(err)
			}
			b.ring.SetFault(nil)
			v := newSession(wallet.New())
			save(t, b.Store, b.id, v)
			must(t, b.ReconcileSlot(t.Context(), b.id))
			b.ring.Land(0)
			if info := wantToken(t, b.Store, b.id, v); info.Backend != store.BackendFile || !info.InDoubt {
				t.Errorf("%+v", info)
			}
		})
	}
}
