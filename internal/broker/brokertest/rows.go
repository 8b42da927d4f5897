package brokertest

import (
	"errors"

	"github.com/google/go-cmp/cmp"

	"github.com/agentkeys/agentkeys/internal/broker"
	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/seal"
	"github.com/agentkeys/agentkeys/internal/wallet"
)

// The second half of Conformance: pairings, records, names and the audit.

func (f *fixture) pairing(lookup string, openedAt int64) broker.Pairing {
	return broker.Pairing{
		TokenSHA256: f.hash(), Lookup: lookup, Request: []byte("r"), MAC: []byte("m"), State: broker.PairingOpen,
		Address: "x", OpenedAt: openedAt, ExpiresAt: openedAt + 600,
	}
}

func lookups(f *fixture) {
	first, rival := f.pairing("K7Q", 10), f.pairing("K7Q", 20)
	first.Wants = f.ofA
	f.do(func(tx broker.Tx) error { return tx.AddPairing(first) })
	f.fails(broker.ErrTaken, func(tx broker.Tx) error { return tx.AddPairing(rival) })
	first.State, first.Account, first.DenyMAC, first.DecidedAt = broker.PairingDenied, f.a, []byte("no"), 15
	f.do(func(tx broker.Tx) error { return tx.SetPairing(first) })
	f.fails(broker.ErrTaken, func(tx broker.Tx) error { return tx.AddPairing(rival) })
	f.do(func(tx broker.Tx) error {
		got, err := tx.LivePairings(f.ofA)
		if len(got) != 1 {
			f.t.Errorf("%v", got)
		}
		return err
	})
	first.State, first.Wallet, first.Grant, first.GrantMAC = broker.PairingApproved, f.ofA, []byte("g"), []byte("gm")
	first.Manifest, first.Signature, first.FoundBy, first.Resumed = []byte("ma"), []byte("s"), f.a, 3
	f.do(func(tx broker.Tx) error { return errors.Join(tx.SetPairing(first), tx.AddPairing(rival)) })
	f.do(func(tx broker.Tx) error {
		got, err := tx.Pairing(first.TokenSHA256)
		if diff := cmp.Diff(first, got, wallets()); diff != "" {
			f.t.Error(diff)
		}
		byLookup, err2 := tx.PairingByLookup("K7Q", 0)
		if byLookup.TokenSHA256 != rival.TokenSHA256 {
			f.t.Error("a used code hides a living one")
		}
		decided, err3 := tx.Pairings(f.a)
		if len(decided) != 1 {
			f.t.Errorf("%v", decided)
		}
		return errors.Join(err, err2, err3)
	})
}

func expiry(f *fixture) {
	p := f.pairing("ABC", 10)
	f.do(func(tx broker.Tx) error {
		return errors.Join(tx.AddToken(broker.Token{Hash: p.TokenSHA256, Kind: broker.TokenPairing}), tx.AddPairing(p))
	})
	f.do(func(tx broker.Tx) error {
		for now, want := range map[int64]int{609: 0, 610: 1} {
			if got, err := tx.OverduePairings(now); err != nil || len(got) != want {
				f.t.Errorf("at %d: %v %v", now, got, err)
			}
		}
		n, err := tx.CountLivePairings()
		unseen, err2 := tx.UnseenPairings()
		if n != 1 || len(unseen) != 1 || unseen[0].TokenSHA256 != p.TokenSHA256 || unseen[0].OpenedAt != 10 {
			f.t.Errorf("%d live, unseen %+v", n, unseen)
		}
		err = errors.Join(err, err2)
		p.State = broker.PairingExpired
		return errors.Join(err, tx.SetPairing(p))
	})
	f.do(func(tx broker.Tx) error {
		got, err := tx.PairingByLookup("ABC", 9)
		if got.State != broker.PairingExpired {
			f.t.Errorf("%+v", got)
		}
		return errors.Join(err, tx.PrunePairings(10))
	})
	f.fails(broker.ErrNone, func(tx broker.Tx) error { _, err := tx.PairingByLookup("ABC", 10); return err })
	f.do(func(tx broker.Tx) error { return tx.PrunePairings(11) })
	f.fails(broker.ErrNone, func(tx broker.Tx) error { _, err := tx.Pairing(p.TokenSHA256); return err })
	f.fails(broker.ErrNone, func(tx broker.Tx) error { _, err := tx.Token(p.TokenSHA256); return err })
}

func displaced(f *fixture) {
	seen, dropped := f.pairing("ABD", 10), f.pairing("ABE", 11)
	f.do(func(tx broker.Tx) error {
		var err error
		for _, p := range []broker.Pairing{seen, dropped} {
			err = errors.Join(err, tx.AddToken(broker.Token{Hash: p.TokenSHA256, Kind: broker.TokenPairing}), tx.AddPairing(p))
		}
		seen.FoundBy = f.a
		return errors.Join(err, tx.SetPairing(seen))
	})
	f.do(func(tx broker.Tx) error {
		unseen, err := tx.UnseenPairings()
		if len(unseen) != 1 || unseen[0].TokenSHA256 != dropped.TokenSHA256 {
			f.t.Errorf("unseen %+v", unseen)
		}
		return errors.Join(err, tx.DropPairing(dropped.TokenSHA256))
	})
	f.fails(broker.ErrNone, func(tx broker.Tx) error { _, err := tx.Pairing(dropped.TokenSHA256); return err })
	f.fails(broker.ErrNone, func(tx broker.Tx) error { _, err := tx.Token(dropped.TokenSHA256); return err })
	f.do(func(tx broker.Tx) error { _, err := tx.Token(seen.TokenSHA256); return err })
}

func highest(f *fixture) {
	put := func(revision uint64, data byte) {
		r := protocol.SealedRecord{Service: "x", Revision: revision, Data: []byte{data}}
		f.do(func(tx broker.Tx) error { return tx.PutRecord(f.a, f.ofA, r, seal.EntryOf(r).SHA256) })
	}
	put(1, 1)
	put(4, 2)
	f.do(func(tx broker.Tx) error {
		got, err := tx.Record(f.a, f.ofA, "x")
		entries, err2 := tx.Entries(f.a, f.ofA)
		if diff := cmp.Diff([]seal.Entry{seal.EntryOf(got)}, entries); diff != "" || got.Revision != 4 {
			f.t.Error(diff, got)
		}
		return errors.Join(err, err2, tx.DropRecord(f.a, f.ofA, "x"))
	})
	f.do(func(tx broker.Tx) error {
		got, err := tx.Revisions(f.a, f.ofA)
		if diff := cmp.Diff(map[string]uint64{"x": 4}, got); diff != "" {
			f.t.Error(diff)
		}
		return err
	})
}

func names(f *fixture) {
	set := func(account, w wallet.Wallet, list ...string) func(broker.Tx) error {
		return func(tx broker.Tx) error { return tx.SetIdentities(account, w, list) }
	}
	f.do(set(f.a, f.ofA, "bot", "bot@x"))
	f.fails(broker.ErrTaken, set(f.a, f.a, "bot@x"))
	f.do(set(f.b, f.ofB, "bot"))
	f.do(func(tx broker.Tx) error {
		got, err := tx.Resolve("bot")
		if len(got) != 2 {
			f.t.Errorf("%v", got)
		}
		return err
	})
	f.do(set(f.a, f.ofA, "other"))
	f.do(func(tx broker.Tx) error {
		got, err := tx.Resolve("bot@x")
		if len(got) != 0 {
			f.t.Errorf("%v", got)
		}
		return err
	})
}

func auditRows(f *fixture) {
	rows := []protocol.AuditRow{
		{Number: 1, Time: 10, Action: "account_created", Result: "ok", Where: "broker", SHA256: "1"},
		{Number: 2, Time: 20, Agent: f.ofA, Service: "x", Action: "access_denied", Result: "denied", Where: "local", Detail: "d", SHA256: "2"},
		{Number: 3, Time: 30, Agent: f.ofA, Service: "y", Action: "access_denied", Result: "denied", Where: "broker", SHA256: "3"},
	}
	f.do(func(tx broker.Tx) error {
		head, err := tx.AuditHead(f.a)
		if head != (protocol.AuditHead{}) {
			f.t.Errorf("%+v", head)
		}
		for _, r := range rows {
			err = errors.Join(err, tx.AddAudit(f.a, r))
		}
		return err
	})
	f.fails(broker.ErrTaken, func(tx broker.Tx) error { return tx.AddAudit(f.a, rows[2]) })
	f.do(func(tx broker.Tx) error {
		for name, tc := range map[string]struct {
			q    protocol.AuditQuery
			want []protocol.AuditRow
		}{
			"all":     {protocol.AuditQuery{}, rows},
			"agent":   {protocol.AuditQuery{Agent: f.ofA}, rows[1:]},
			"service": {protocol.AuditQuery{Service: "y"}, rows[2:]},
			"action":  {protocol.AuditQuery{Action: "account_created"}, rows[:1]},
			"since":   {protocol.AuditQuery{Since: 20}, rows[1:]},
			"cursor":  {protocol.AuditQuery{Cursor: 2}, rows[2:]},
			"later":   {protocol.AuditQuery{Since: 31}, nil},
			"end":     {protocol.AuditQuery{FromEnd: true}, rows},
		} {
			got, err := tx.Audit(f.a, tc.q, 10)
			if diff := cmp.Diff(tc.want, got, wallets()); diff != "" || err != nil {
				f.t.Error(name, diff, err)
			}
		}
		limited, err := tx.Audit(f.a, protocol.AuditQuery{}, 2)
		newest, err2 := tx.Audit(f.a, protocol.AuditQuery{FromEnd: true}, 2)
		none, err3 := tx.Audit(f.b, protocol.AuditQuery{}, 10)
		if len(limited) != 2 || len(none) != 0 || cmp.Diff(rows[1:], newest, wallets()) != "" {
			f.t.Errorf("%v %v %v", limited, newest, none)
		}
		return errors.Join(err, err2, err3)
	})
}

func events(f *fixture) {
	add := func(tx broker.Tx) error { return tx.AddEvent(f.a, f.ofA, "id", 10) }
	f.do(add)
	f.fails(broker.ErrTaken, add)
	f.do(func(tx broker.Tx) error { return tx.PruneEvents(11) })
	f.do(add)
}
