package store_test

import (
	"encoding/base64"
	"errors"
	"testing"

	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/store"
	"github.com/agentkeys/agentkeys/internal/store/storetest"
	"github.com/agentkeys/agentkeys/internal/wallet"
	"github.com/agentkeys/agentkeys/internal/words"
)

// A delete that timed out is done after the slot was saved again.
func TestALateDeleteDoesNotHitTheNextSession(t *testing.T) {
	t.Parallel()
	for _, fault := range []storetest.Fault{storetest.FaultHang, storetest.FaultFalseReplyLate} {
		t.Run(string(fault), func(t *testing.T) {
			t.Parallel()
			b := newFixture(t, words.ModeAuto)
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
			b.ring.ApplyLate(0)
			wantToken(t, b.Store, b.id, v)
		})
	}
}

// Once a caller has loaded the session of a first save that was cut off, a keychain that
// denies the entry must not make the slot look empty.
func TestASessionThatWasLoadedIsNeverAbsentAgain(t *testing.T) {
	t.Parallel()
	for at := range 60 {
		m := newMachine(words.ModeAuto, storeMaker)
		m.procs[0].CrashAfter(at)
		_ = m.save(t, 0)
		_ = m.load(t, 1)
		m.ring.SetFault(func(storetest.Operation) storetest.Fault { return storetest.FaultFalseReply })
		_ = m.load(t, 1)
	}
}

// The number of a pending generation is not enough: the bytes must be those that
// the intent announced.
func TestAPendingGenerationIsBelievedByItsDigestOnly(t *testing.T) {
	t.Parallel()
	b := newFixture(t, words.ModeKeychain)
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
