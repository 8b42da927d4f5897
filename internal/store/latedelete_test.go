package store_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/agentkeys/agentkeys/internal/store"
	"github.com/agentkeys/agentkeys/internal/store/storetest"
	"github.com/agentkeys/agentkeys/internal/wallet"
	"github.com/agentkeys/agentkeys/internal/words"
)

// falselyDeleted deletes the slot's session in a keychain that confirms the delete, does not
// show the entry, and has it still, until the delete is done late.
func falselyDeleted(t *testing.T, b *fixture) {
	t.Helper()
	deleted := false
	b.ring.SetFault(func(op storetest.Operation) storetest.Fault {
		if deleted = deleted || op == storetest.OperationDelete; deleted {
			return storetest.FaultFalseReplyLate
		}
		return storetest.FaultNone
	})
	must(t, b.Delete(t.Context(), b.id))
	b.ring.SetFault(nil)
	if len(b.ring.Items()) != 1 || b.ring.Late() != 1 {
		t.Fatal("the entry is gone: this shows nothing")
	}
}

// What a keychain shows right after a delete proves little: the next save checks again.
func TestADeleteIsCheckedAgainBeforeTheNextSave(t *testing.T) {
	t.Parallel()
	b := newFixture(t, words.ModeAuto)
	save(t, b.Store, b.id, newSession(wallet.New()))
	falselyDeleted(t, b)
	wantLoadError(t, b.Store, b.id, store.ErrNoSession)
	v := newSession(wallet.New())
	if info := save(t, b.Store, b.id, v); info.Backend != words.BackendFile || info.Fallback != "in_doubt" || !info.InDoubt {
		t.Fatalf("%+v", info)
	}
	b.ring.ApplyLate(0)
	wantToken(t, b.Store, b.id, v)
	b.ring.Restart()
	for range 5 {
		b.clock = b.clock.Add(11 * time.Minute)
		must(t, b.ReconcileSlot(t.Context(), b.id))
	}
	if info := wantToken(t, b.Store, b.id, v); info.Backend != words.BackendKeychain || info.InDoubt {
		t.Fatalf("%+v", info)
	}
}

func TestInKeychainModeADeleteThatWasNotDoneRefusesTheSave(t *testing.T) {
	t.Parallel()
	b := newFixture(t, words.ModeKeychain)
	save(t, b.Store, b.id, newSession(wallet.New()))
	falselyDeleted(t, b)
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

// A second delete finds what the first had removed: the first may still be done.
func TestADeleteOfWhatWasDeletedStaysInDoubt(t *testing.T) {
	t.Parallel()
	for name, again := range map[string]func(*fixture) error{
		"delete": func(b *fixture) error {
			if err := b.Delete(t.Context(), b.id); !errors.Is(err, store.ErrInDoubt) {
				return fmt.Errorf("%w, want in doubt", err)
			}
			return nil
		},
		"reconcile": func(b *fixture) error { return b.ReconcileSlot(t.Context(), b.id) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newFixture(t, words.ModeAuto)
			save(t, b.Store, b.id, newSession(wallet.New()))
			falselyDeleted(t, b)
			must(t, again(b))
			v := newSession(wallet.New())
			if info := save(t, b.Store, b.id, v); info.Backend != words.BackendFile {
				t.Fatalf("%+v", info)
			}
			b.ring.ApplyLate(0)
			wantToken(t, b.Store, b.id, v)
		})
	}
}

// A delete that was done costs the next save one read of the keychain.
func TestAfterADeleteTheKeychainIsUsedAgain(t *testing.T) {
	t.Parallel()
	b := newFixture(t, words.ModeAuto)
	save(t, b.Store, b.id, newSession(wallet.New()))
	must(t, b.Delete(t.Context(), b.id))
	reads := b.ring.Calls("get")
	if info := save(t, b.Store, b.id, newSession(wallet.New())); info.Backend != words.BackendKeychain || info.InDoubt {
		t.Fatalf("%+v", info)
	}
	save(t, b.Store, b.id, newSession(wallet.New()))
	if n := b.ring.Calls("get") - reads; n != 3 { // the check, and the read-back of each save
		t.Errorf("%d reads", n)
	}
}

// Where the keychain does not answer the check, nothing is put there, and the next save
// checks again.
func TestACheckThatIsNotAnsweredIsRepeated(t *testing.T) {
	t.Parallel()
	hidden := func(op storetest.Operation) storetest.Fault {
		if op == storetest.OperationGet {
			return storetest.FaultLost
		}
		return storetest.FaultNone
	}
	for mode, accept := range map[words.Mode]func(store.Info, error) bool{
		words.ModeAuto: func(info store.Info, err error) bool {
			return err == nil && info.Backend == words.BackendFile && info.Fallback == "hung"
		},
		words.ModeKeychain: func(_ store.Info, err error) bool { return errors.Is(err, store.ErrUnavailable) },
	} {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			b := newFixture(t, mode)
			save(t, b.Store, b.id, newSession(wallet.New()))
			falselyDeleted(t, b)
			b.ring.SetFault(hidden)
			puts := b.ring.Calls("put")
			if info, err := b.Save(t.Context(), b.id, newSession(wallet.New())); !accept(info, err) {
				t.Fatalf("%+v, %v", info, err)
			}
			if n := b.ring.Calls("put") - puts; n != 0 {
				t.Errorf("%d puts", n)
			}
			b.ring.SetFault(nil)
			v := newSession(wallet.New())
			info, err := b.Save(t.Context(), b.id, v)
			if err == nil && info.Backend != words.BackendFile || err != nil && !errors.Is(err, store.ErrInDoubt) {
				t.Fatalf("%+v, %v", info, err)
			}
		})
	}
}

// A move into the keychain checks too, and one that failed is not tried again at once.
func TestAMoveChecksADeleteAgain(t *testing.T) {
	t.Parallel()
	b := newFixture(t, words.ModeAuto)
	save(t, b.Store, b.id, newSession(wallet.New()))
	must(t, b.Delete(t.Context(), b.id))
	b.ring.SetState(words.KeychainLocked)
	v := newSession(wallet.New())
	save(t, b.Store, b.id, v)
	b.ring.SetState(words.KeychainUnlocked)
	b.ring.SetFault(func(storetest.Operation) storetest.Fault { return storetest.FaultLost })
	failed := 0
	reads := b.ring.Calls("get")
	for range 12 {
		b.clock = b.clock.Add(40 * time.Second)
		if err := b.ReconcileSlot(t.Context(), b.id); err != nil {
			failed++
		}
	}
	if n := b.ring.Calls("get") - reads; failed != 1 || n != 1 {
		t.Errorf("%d failures, %d reads in 8 minutes", failed, n)
	}
	b.ring.SetFault(nil)
	for range 5 {
		b.clock = b.clock.Add(5 * time.Minute)
		must(t, b.ReconcileSlot(t.Context(), b.id))
	}
	if info := wantToken(t, b.Store, b.id, v); info.Backend != words.BackendKeychain {
		t.Errorf("%+v", info)
	}
}

// The provider was replaced between the probe and the delete: the new one has the delete, and
// may still do it.
func TestAFenceNamesTheProviderThatHasTheDelete(t *testing.T) {
	t.Parallel()
	for _, fault := range []storetest.Fault{storetest.FaultHang, storetest.FaultFalseReplyLate} {
		t.Run(string(fault), func(t *testing.T) {
			t.Parallel()
			b := newFixture(t, words.ModeAuto)
			save(t, b.Store, b.id, newSession(wallet.New()))
			deleted := false
			b.ring.SetFault(func(op storetest.Operation) storetest.Fault {
				if op == storetest.OperationDelete {
					b.ring.ReplaceDuringCall()
					deleted = true
				}
				if deleted {
					return fault // so the read that follows shows nothing
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
			b.ring.ApplyLate(0)
			if info := wantToken(t, b.Store, b.id, v); info.Backend != words.BackendFile || !info.InDoubt {
				t.Errorf("%+v", info)
			}
		})
	}
}
