package enroll_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/agentkeys/agentkeys/internal/agent/enroll"
	"github.com/agentkeys/agentkeys/internal/pairing"
	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/store"
	"github.com/agentkeys/agentkeys/internal/wallet"
)

func TestCodesAreNotDrawnForEver(t *testing.T) {
	onBoard(t, func(t *testing.T, b *board) {
		opens := 0
		b.broker.fault = func(call string) error {
			if call == "open" {
				opens++
				return refusal(409, protocol.CodeConflict)
			}
			return nil
		}
		_, err := b.pair(t.Context(), wish())
		var f *enroll.Failure
		if !errors.As(err, &f) || f.Code != protocol.CodeConflict || opens > 5 || len(b.codes) != 0 {
			t.Fatalf("%v after %d draws, %d codes shown", err, opens, len(b.codes))
		}
	})
}

func TestARetryAfterIsNotLongerThanAPersonsPatience(t *testing.T) {
	onBoard(t, func(t *testing.T, b *board) {
		b.broker.fault = func(string) error {
			p := refusal(429, protocol.CodeSlowDown)
			p.RetryAfter = 86400
			return p
		}
		start := time.Now()
		_, err := b.pair(t.Context(), wish())
		var f *enroll.Failure
		if !errors.As(err, &f) || f.Code != protocol.CodeSlowDown || time.Since(start) > 31*time.Second {
			t.Fatalf("%v after %v", err, time.Since(start))
		}
	})
}

func TestACodeIsNotTakenUpAgainWhenItIsOld(t *testing.T) {
	for name, c := range map[string]struct {
		later time.Duration
		same  bool
	}{"a power cut of ten minutes": {10 * time.Minute, true}, "hours later": {2 * time.Hour, false}} {
		t.Run(name, func(t *testing.T) {
			onBoard(t, func(t *testing.T, b *board) {
				ctx, cancel := context.WithCancel(t.Context())
				b.onCode = func(pairing.Code) { cancel() }
				if _, err := b.pair(ctx, wish()); err == nil {
					t.Fatal("paired without an owner")
				}
				time.Sleep(c.later)
				b.onCode = func(code pairing.Code) { b.owner.approve(code) }
				must(b.pair(t.Context(), wish()))(t)
				expect(t, "the same code", b.codes[0] == b.codes[1], c.same)
			})
		})
	}
}

// A recovery ends the old session when it is approved: what would fail after that
// is found before a code is shown.
func TestARecoveryIsNotBegunOverASlotThatCannotBeReplaced(t *testing.T) {
	onBoard(t, func(t *testing.T, b *board) {
		w := wallet.New()
		s := session.Session{Token: session.NewToken(), Wallet: w, CreatedAt: 1, TTLSeconds: 1}
		must(b.store.Save(t.Context(), session.DaemonID(w), s))(t)
		if err := os.Chmod(filepath.Join(b.store.Dir(session.DaemonID(w)), "session.json"), 0o644); err != nil {
			t.Fatal(err)
		}
		b.broker.names["bot"] = w
		_, err := b.pair(t.Context(), enroll.Request{Kind: pairing.KindRecover, Identity: "bot"})
		if !errors.Is(err, store.ErrInsecure) || len(b.codes) != 0 {
			t.Fatalf("%v, %d codes shown", err, len(b.codes))
		}
	})
}
