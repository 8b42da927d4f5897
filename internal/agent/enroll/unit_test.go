package enroll_test

import (
	"context"
	"errors"
	"testing"

	"github.com/agentkeys/agentkeys/internal/agent/enroll"
	"github.com/agentkeys/agentkeys/internal/pairing"
	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/store"
	"github.com/agentkeys/agentkeys/internal/wallet"
)

var errUnit = errors.New("the unit cannot be prepared")

// unit notes what a pairing asks of it, and whether the slot was there too early.
type unit struct {
	store        *store.Store
	may, prepare error
	asked        []wallet.Wallet
	prepared     []wallet.Wallet
	early        bool
}

func (u *unit) May(w wallet.Wallet) error {
	u.asked = append(u.asked, w)
	return u.may
}

func (u *unit) Prepare(w wallet.Wallet) error {
	if _, _, err := u.store.Load(context.Background(), session.DaemonID(w)); err == nil {
		u.early = true
	}
	u.prepared = append(u.prepared, w)
	return u.prepare
}

func TestTheUnitIsPreparedBeforeTheSlotIsThere(t *testing.T) {
	onBoard(t, func(t *testing.T, b *board) {
		u := &unit{store: b.store}
		b.unit = u
		got := must(b.pair(t.Context(), wish()))(t)
		expect(t, "units prepared", len(u.prepared), 1)
		expect(t, "wallet", u.prepared[0], got.Wallet)
		expect(t, "the slot came first", u.early, false)
		expect(t, "asked before an approval", len(u.asked), 0) // the wallet was not known
	})
}

func TestAUnitThatCannotBePreparedLeavesThePairingForLater(t *testing.T) {
	onBoard(t, func(t *testing.T, b *board) {
		u := &unit{store: b.store, prepare: errUnit}
		b.unit = u
		if _, err := b.pair(t.Context(), wish()); !errors.Is(err, errUnit) {
			t.Fatal(err)
		}
		agents, pending := b.slots()
		expect(t, "agents", agents, 0)
		expect(t, "pending slots", pending, 1)
		u.prepare = nil
		got := must(b.pair(t.Context(), wish()))(t)
		expect(t, "wallet", got.Wallet, b.owner.agent)
		expect(t, "codes shown", len(b.codes), 1)
	})
}

func TestARecoveryWhoseUnitCannotBePreparedAsksNobody(t *testing.T) {
	onBoard(t, func(t *testing.T, b *board) {
		got := must(b.pair(t.Context(), wish()))(t)
		b.broker.names["bot"] = got.Wallet
		u := &unit{store: b.store, may: errUnit}
		b.unit = u
		_, err := b.pair(t.Context(), enroll.Request{Kind: pairing.KindRecover, Identity: "bot"})
		if !errors.Is(err, errUnit) {
			t.Fatal(err)
		}
		expect(t, "asked for", u.asked[0], got.Wallet)
		expect(t, "codes shown", len(b.codes), 1) // that of the pairing before
		_, pending := b.slots()
		expect(t, "pending slots", pending, 0)
	})
}
