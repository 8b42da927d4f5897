package enroll_test

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/agentkeys/agentkeys/internal/agent/enroll"
	"github.com/agentkeys/agentkeys/internal/pairing"
	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/store"
	"github.com/agentkeys/agentkeys/internal/wallet"
	"github.com/agentkeys/agentkeys/internal/words"
)

// board is a machine that pairs, with a person in front of it.
type board struct {
	t      *testing.T
	store  *store.Store
	wrap   func(enroll.Store) enroll.Store
	broker *fakeBroker
	via    enroll.Broker // on the way to it; nil: nothing
	owner  *approver
	codes  []string
	onCode func(pairing.Code)
	unit   enroll.Unit
	screen error // why it shows no code
}

func newBoard(t *testing.T) *board {
	b := newFakeBroker()
	s := must(store.New(store.Config{Home: t.TempDir(), Mode: words.ModeFile}))(t)
	out := &board{t: t, store: s, broker: b, owner: newApprover(t, b)}
	out.onCode = func(c pairing.Code) { out.owner.approve(c) }
	return out
}

func (b *board) pair(ctx context.Context, r enroll.Request) (enroll.Paired, error) {
	var s enroll.Store = b.store
	if b.wrap != nil {
		s = b.wrap(s)
	}
	var broker enroll.Broker = b.broker
	if b.via != nil {
		broker = b.via
	}
	return enroll.Pair(ctx, enroll.Config{
		Broker: broker, URL: "http://127.0.0.1:1", Store: s, Logger: slog.New(slog.DiscardHandler),
		Random: func() float64 { return 0.5 }, Host: "pi\x1b[31m", Patience: 30 * time.Second, Unit: b.unit,
		ShowCode: func(c pairing.Code, _ time.Duration) error {
			if b.screen != nil {
				return b.screen
			}
			b.codes = append(b.codes, c.Show())
			b.onCode(c)
			return nil
		},
	}, r)
}

func wish() enroll.Request { return enroll.Request{Kind: pairing.KindPair, Alias: "bot"} }

func (b *board) slots() (agents, pending int) {
	b.t.Helper()
	for _, s := range must(b.store.List())(b.t) {
		if s.ID.IsPending() {
			pending++
		} else {
			agents++
		}
	}
	return agents, pending
}

func onBoard(t *testing.T, f func(t *testing.T, b *board)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { f(t, newBoard(t)) })
}

func (b *board) load(w wallet.Wallet) (session.Session, error) {
	s, _, err := b.store.Load(context.Background(), session.DaemonID(w))
	return s, err
}

func must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func expect[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Fatalf("%s: got %v, want %v", what, got, want)
	}
}
