package store_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/agentkeys/agentkeys/internal/secret"
	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/store"
	"github.com/agentkeys/agentkeys/internal/store/storetest"
	"github.com/agentkeys/agentkeys/internal/wallet"
)

const (
	// maxPairings of one history: as many as a head remembers at least.
	maxPairings = 6

	pairingLife = 24 * time.Hour
)

// pairing is one pending slot and the session that is made of it.
type pairing struct {
	id      session.ID
	v       session.Session // what is promoted
	slot    *storetest.Ledger
	savedAt time.Time

	saved   bool // its save was acknowledged
	dropped bool // its removal was begun
	gone    bool // its removal was acknowledged
	first   int  // moment of the wallet's ledger at which its first promotion began; 0 = none
	calls   int  // how many promotions began
	seenAt  int  // since when its session was seen in the wallet's slot, until the power fails; 0 = not seen
	taken   bool // the wallet's slot has taken it for good: from now on a promotion saves nothing
}

// keyOf tells sessions apart: a pending one by its code, which is drawn again.
func keyOf(v session.Session) string {
	if v.Pairing != nil {
		return v.Pairing.Code.Reveal()
	}
	return v.Token.Reveal()
}

func (m *machine) noteSeen(id string) {
	for _, p := range m.pairs {
		if p.id.String() == id && p.seenAt == 0 {
			p.seenAt = m.slot.Now()
		}
	}
}

// forgetSeen: a save over what was there before a promotion may undo one that was seen and
// not acknowledged; that promotion is still to come.
func (m *machine) forgetSeen(mine string) {
	for _, p := range m.pairs {
		if p.id.String() != mine {
			p.seenAt = 0
		}
	}
}

// notePairings: after an acknowledged change, a pairing that was seen before it counts as
// taken, because the change keeps it or follows it.
func (m *machine) notePairings(a *storetest.Attempt, over bool) {
	for _, p := range m.pairs {
		if p.seenAt != 0 && p.seenAt < a.Begin() && (!over || a.From == p.id.String()) {
			p.taken = true
		}
	}
}

// pair begins a pairing.
func (m *machine) pair(t fatal, i int) {
	p := &pairing{id: session.NewPendingID(), v: newSession(m.wallet), slot: storetest.NewLedger()}
	p.slot.NoGenerations = m.slot.NoGenerations
	m.pairs = append(m.pairs, p)
	m.savePending(t, i, p)
}

// savePending draws a code and saves the pending slot, for the first time or again.
func (m *machine) savePending(t fatal, i int, p *pairing) {
	if p.first != 0 || p.dropped {
		return // a code that was approved is not used again
	}
	v := p.v
	m.codes++
	v.Wallet = wallet.Wallet{}
	v.Pairing = &session.Pairing{Code: secret.New(fmt.Sprintf("K7QF2M9X%04d", m.codes)), Kind: "pair", Request: []byte("{}")}
	a := p.slot.Begin(keyOf(v), "")
	var info store.Info
	var err error
	m.call(i, func(ctx context.Context, s subject) { info, err = s.Save(ctx, p.id, v) })
	p.gone = false
	if err != nil {
		p.slot.Fail(a)
		return
	}
	check(t, p.slot.AckSave(a, info.Generation))
	p.saved, p.savedAt = true, m.clock
}

// promote fills the wallet's slot with the pairing's session, once: a repetition after that
// changes nothing.
func (m *machine) promote(t fatal, i int, p *pairing) {
	p.calls++
	first, known := p.first == 0, p.taken
	var a *storetest.Attempt
	if !known {
		a = m.slot.Begin(keyOf(p.v), p.id.String())
	}
	if first {
		p.first = a.Begin()
	}
	was := p.slot.BeginRemoval()
	there, gone := p.saved, p.gone
	var info store.Info
	var err error
	m.call(i, func(ctx context.Context, s subject) { info, err = s.Promote(ctx, p.id, m.id, p.v) })
	nothing := errors.Is(err, store.ErrNoSession)
	there = there && !p.dropped // even in the middle of the call
	m.removed(p, was, err == nil || nothing)
	switch {
	case known:
	case err == nil && gone && first:
		t.Fatalf("RESURRECTED: the promotion of a slot that was removed before")
	case err == nil && p.calls == 1:
		m.ended(t, a, false, info, nil)
	case p.calls == 1 && nothing && there:
		t.Fatalf("LOST: a promotion that is not a repeated one found a slot that was deleted since")
	default: // either this one or one before, at whatever time it happened
		m.slot.Fail(a)
	}
	if err == nil || nothing && there {
		m.tookEffect(p)
	}
}

// tookEffect: the wallet's slot shows the pairing's session or what followed it.
func (m *machine) tookEffect(p *pairing) {
	p.taken = true
	m.slot.Follow(p.first)
}

func (m *machine) removed(p *pairing, gone *storetest.Attempt, done bool) {
	p.slot.EndRemoval(gone, done)
	p.gone = done
}

// drop deletes a pending slot: its pairing was denied.
func (m *machine) drop(i int, p *pairing) {
	p.dropped = true
	gone := p.slot.BeginRemoval()
	var err error
	m.call(i, func(ctx context.Context, s subject) { err = s.Delete(ctx, p.id) })
	m.removed(p, gone, err == nil)
}

// collect: the pairing was not used for a day.
func (m *machine) collect(t fatal, i int, p *pairing) {
	m.clock = m.clock.Add(pairingLife + time.Hour)
	p.dropped = true
	gone := p.slot.BeginRemoval()
	var err error
	died := m.call(i, func(ctx context.Context, s subject) { err = s.ReconcileSlot(ctx, p.id) })
	m.removed(p, gone, err == nil)
	if err != nil || died || m.slot.NoGenerations {
		return
	}
	for path := range m.disk.Files() {
		if strings.Contains(path, p.id.String()) {
			t.Fatalf("LEFT OVER: %s", path)
		}
	}
}

// reconcilePairing must not collect a slot that is younger than a day.
func (m *machine) reconcilePairing(i int, p *pairing) {
	if m.clock.Sub(p.savedAt) <= pairingLife {
		m.call(i, func(ctx context.Context, s subject) { _ = s.ReconcileSlot(ctx, p.id) })
	}
}

// loadPairing reads a pending slot. When it is gone although it was not dropped, the
// wallet's slot must have its session for good.
func (m *machine) loadPairing(t fatal, i int, p *pairing) {
	before := p.slot.Look()
	var v session.Session
	var info store.Info
	var err error
	died := m.call(i, func(ctx context.Context, s subject) { v, info, err = s.Load(ctx, p.id) })
	switch {
	case died:
	case err == nil:
		_, err := p.slot.SawSession(keyOf(v), info.Generation, before)
		check(t, err)
	case errors.Is(err, store.ErrNoSession):
		check(t, p.slot.SawNothing(before))
		if p.saved && !p.dropped && p.first != 0 {
			m.tookEffect(p)
		}
	case !m.slot.NoGenerations:
		t.Fatalf("LOST: a pending slot cannot be read: %v", err)
	}
	if m.ring.Calls(p.id.String()) > 0 && !m.slot.NoGenerations {
		t.Fatalf("EXPOSED: the keychain was asked for a pending slot")
	}
}

// inPending: a file of a pending slot that was not removed yet.
func (m *machine) inPending(path string) bool {
	return slices.ContainsFunc(m.pairs, func(p *pairing) bool { return !p.gone && strings.Contains(path, p.id.String()) })
}
