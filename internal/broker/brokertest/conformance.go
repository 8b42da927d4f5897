package brokertest

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/agentkeys/agentkeys/internal/broker"
	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/wallet"
)

// Conformance is the suite that every broker.Store passes. open returns a new, empty store
// each time and closes it when the test ends.
func Conformance(t *testing.T, open func(testing.TB) broker.Store) {
	t.Helper()
	for name, check := range map[string]func(*fixture){
		"an error leaves nothing":             rollback,
		"writers take turns":                  turns,
		"a token hash is unique":              uniqueTokens,
		"a wallet has one living session":     oneSession,
		"an account sees its own rows only":   accounts,
		"an account is open in one epoch":     epochs,
		"a living lookup is unique":           lookups,
		"pairings expire and are pruned":      expiry,
		"a pairing is displaced":              displaced,
		"the highest revision stays":          highest,
		"names are unique within an account":  names,
		"audit rows come in order, filtered":  auditRows,
		"an event counts once":                events,
		"a view shows what updates committed": view,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			check(newFixture(t, open(t)))
		})
	}
}

// fixture is a store with two accounts, a and b, and an agent of each.
type fixture struct {
	t      *testing.T
	store  broker.Store
	a, b   wallet.Wallet
	ofA    wallet.Wallet
	ofB    wallet.Wallet
	number int
}

func newFixture(t *testing.T, store broker.Store) *fixture {
	f := &fixture{t: t, store: store, a: wallet.New(), b: wallet.New(), ofA: wallet.New(), ofB: wallet.New()}
	for account, agent := range map[wallet.Wallet]wallet.Wallet{f.a: f.ofA, f.b: f.ofB} {
		f.do(func(tx broker.Tx) error {
			return errors.Join(
				tx.AddAccount(broker.Account{Wallet: account, Recipient: "r", SigningKey: "key of " + account.String(), CreatedAt: 1}),
				tx.AddAgent(broker.Agent{Account: account, Wallet: account, Role: broker.RoleOwner, CreatedAt: 1}),
				tx.AddAgent(broker.Agent{Account: account, Wallet: agent, Role: broker.RoleAgent, CreatedAt: 2}))
		})
	}
	return f
}

func (f *fixture) do(do func(broker.Tx) error) {
	f.t.Helper()
	if err := f.store.Update(context.Background(), do); err != nil {
		f.t.Fatal(err)
	}
}

// fails runs one statement, in a transaction of its own, that must fail with want.
func (f *fixture) fails(want error, do func(broker.Tx) error) {
	f.t.Helper()
	if err := f.store.Update(context.Background(), do); !errors.Is(err, want) {
		f.t.Errorf("%v, want %v", err, want)
	}
}

func (f *fixture) hash() string {
	f.number++
	return fmt.Sprintf("%064d", f.number)
}

func (f *fixture) session(account, w wallet.Wallet) broker.Session {
	f.t.Helper()
	s := broker.Session{
		Account: account, Wallet: w, Role: broker.RoleAgent, State: broker.StateActive, DeviceSignKey: "k",
		CreatedAt: 5, RenewedAt: 5, ExpiresAt: 50,
	}
	f.do(func(tx broker.Tx) error {
		var err error
		s.ID, err = tx.AddSession(s)
		return err
	})
	return s
}

func rollback(f *fixture) {
	stop := errors.New("stop")
	f.fails(stop, func(tx broker.Tx) error { return errors.Join(tx.SetMeta("k", "v"), stop) })
	f.fails(broker.ErrNone, func(tx broker.Tx) error { _, err := tx.Meta("k"); return err })
	f.do(func(tx broker.Tx) error { return tx.SetMeta("k", "v") })
	f.do(func(tx broker.Tx) error { return tx.SetMeta("k", "") })
	f.fails(broker.ErrNone, func(tx broker.Tx) error { _, err := tx.Meta("k"); return err })
}

func turns(f *fixture) {
	const writers, times = 8, 5
	var all sync.WaitGroup
	for range writers {
		all.Go(func() {
			for range times {
				err := f.store.Update(context.Background(), func(tx broker.Tx) error {
					text, err := tx.Meta("n")
					if err != nil && !errors.Is(err, broker.ErrNone) {
						return err
					}
					n, _ := strconv.Atoi(text) // a missing one counts as 0
					return tx.SetMeta("n", strconv.Itoa(n+1))
				})
				if err != nil {
					f.t.Error(err)
				}
			}
		})
	}
	all.Wait()
	f.do(func(tx broker.Tx) error {
		if n, err := tx.Meta("n"); err != nil || n != strconv.Itoa(writers*times) {
			f.t.Errorf("%s updates of %d, %v", n, writers*times, err)
		}
		return nil
	})
}

func uniqueTokens(f *fixture) {
	s := f.session(f.a, f.ofA)
	of := func(hash, kind string) broker.Token {
		return broker.Token{Hash: hash, Kind: kind, Account: f.a, Wallet: f.ofA, Session: s.ID}
	}
	asked, current, next := f.hash(), f.hash(), f.hash()
	f.do(func(tx broker.Tx) error {
		return errors.Join(tx.AddToken(broker.Token{Hash: asked, Kind: broker.TokenPairing}),
			tx.AddToken(of(current, broker.TokenCurrent)), tx.AddToken(of(next, broker.TokenNext)))
	})
	for _, hash := range []string{asked, current, next} {
		f.fails(broker.ErrTaken, func(tx broker.Tx) error { return tx.AddToken(of(hash, broker.TokenRetired)) })
	}
	f.fails(broker.ErrTaken, func(tx broker.Tx) error { return tx.AddToken(of(f.hash(), broker.TokenCurrent)) })
	f.fails(broker.ErrNone, func(tx broker.Tx) error { return tx.SetToken(f.b, of(current, broker.TokenEnded)) })
	f.do(func(tx broker.Tx) error { return tx.SetToken(wallet.Wallet{}, of(asked, broker.TokenRetired)) })
	f.do(func(tx broker.Tx) error {
		got, err := tx.Tokens(f.a, s.ID)
		if err != nil || len(got) != 3 {
			f.t.Errorf("%v %v", got, err)
		}
		return tx.DropToken(next)
	})
	f.fails(broker.ErrNone, func(tx broker.Tx) error { _, err := tx.Token(next); return err })
}

func oneSession(f *fixture) {
	first := f.session(f.a, f.ofA)
	f.fails(broker.ErrTaken, func(tx broker.Tx) error { _, err := tx.AddSession(first); return err })
	first.State, first.EndedAt, first.Used, first.SeenEpoch, first.LastSeen, first.Address = broker.StateEnded, 9, true, "e", 8, "x"
	f.do(func(tx broker.Tx) error { return tx.SetSession(first) })
	second := f.session(f.a, f.ofA)
	f.do(func(tx broker.Tx) error {
		got, err := tx.Sessions(f.a, f.ofA)
		if diff := cmp.Diff([]broker.Session{second, first}, got, wallets()); diff != "" {
			f.t.Error(diff)
		}
		return err
	})
	f.do(func(tx broker.Tx) error {
		for now, want := range map[int64]int{10: 1, 50: 1} { // 10: never used
			if got, err := tx.OverdueSessions(now); err != nil || len(got) != want {
				f.t.Errorf("at %d: %v %v", now, got, err)
			}
		}
		return nil
	})
}

// wallets lets cmp compare wallets, whose fields are not exported.
func wallets() cmp.Option { return cmp.Comparer(func(a, b wallet.Wallet) bool { return a == b }) }

func epochs(f *fixture) {
	f.do(func(tx broker.Tx) error { return tx.SetAccountEpoch(f.a, "e2") })
	f.fails(broker.ErrNone, func(tx broker.Tx) error { return tx.SetAccountEpoch(wallet.New(), "e2") })
	f.do(func(tx broker.Tx) error {
		a, err1 := tx.Account(f.a)
		b, err2 := tx.Account(f.b)
		if a.Epoch != "e2" || b.Epoch != "" {
			f.t.Errorf("open in %q and %q", a.Epoch, b.Epoch)
		}
		return errors.Join(err1, err2)
	})
}

func accounts(f *fixture) {
	s := f.session(f.a, f.ofA)
	f.do(func(tx broker.Tx) error {
		return tx.PutRecord(f.a, f.ofA, protocol.SealedRecord{Service: "x", Revision: 1, Data: []byte{1}}, f.hash())
	})
	f.fails(broker.ErrNone, func(tx broker.Tx) error { _, err := tx.Agent(f.b, f.ofA); return err })
	f.fails(broker.ErrNone, func(tx broker.Tx) error { _, err := tx.Session(f.b, s.ID); return err })
	f.fails(broker.ErrNone, func(tx broker.Tx) error { _, err := tx.Record(f.b, f.ofA, "x"); return err })
	f.fails(broker.ErrNone, func(tx broker.Tx) error { return tx.SetAgent(broker.Agent{Account: f.b, Wallet: f.ofA}) })
	s.Account = f.b
	f.fails(broker.ErrNone, func(tx broker.Tx) error { return tx.SetSession(s) })
	f.do(func(tx broker.Tx) error {
		sessions, err1 := tx.Sessions(f.b, f.ofA)
		entries, err2 := tx.Entries(f.b, f.ofA)
		revisions, err3 := tx.Revisions(f.b, f.ofA)
		agents, err4 := tx.Agents(f.b, 0, 100)
		if len(sessions)+len(entries)+len(revisions) > 0 || len(agents) != 1 || agents[0].Wallet != f.ofB {
			f.t.Errorf("account b sees %v %v %v %v", sessions, entries, revisions, agents)
		}
		return errors.Join(err1, err2, err3, err4, tx.DropRecord(f.b, f.ofA, "x"))
	})
	f.do(func(tx broker.Tx) error {
		_, err := tx.Record(f.a, f.ofA, "x")
		account, err2 := tx.AccountOf(f.ofA)
		if account != f.a {
			f.t.Errorf("account of A's agent: %v", account)
		}
		return errors.Join(err, err2)
	})
}

func view(f *fixture) {
	f.do(func(tx broker.Tx) error { return tx.SetMeta("k", "v") })
	err := f.store.View(context.Background(), func(tx broker.Tx) error {
		v, err := tx.Meta("k")
		if v != "v" {
			f.t.Errorf("%q", v)
		}
		n, err2 := tx.CountAccounts()
		if n != 2 {
			f.t.Errorf("%d accounts", n)
		}
		return errors.Join(err, err2)
	})
	if err != nil {
		f.t.Error(err)
	}
}
