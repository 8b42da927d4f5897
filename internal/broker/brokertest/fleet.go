package brokertest

import (
	"context"
	"errors"
	"fmt"

	"github.com/agentkeys/agentkeys/internal/broker"
	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/scope"
	"github.com/agentkeys/agentkeys/internal/seal"
	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/wallet"
)

// Fleet gives o n more agents with signed manifests, which never had a session.
func (s *Server) Fleet(o *Owner, n int) {
	s.t.Helper()
	m := o.Draft(s.t, NewDevice(s.t, ""), wallet.Wallet{}, 1, scope.None())
	err := s.store.Update(context.Background(), func(tx broker.Tx) error {
		for range n {
			m.Wallet = wallet.New()
			signed := Must(seal.Sign(m, o.Signing))(s.t)
			err := tx.AddAgent(broker.Agent{
				Account: o.Wallet, Wallet: m.Wallet, Role: broker.RoleAgent, CreatedAt: s.Clock.Now().Unix(),
				Revision: 1, Manifest: signed.Manifest, Signature: signed.Signature,
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

// Trail adds rows of another action each to the account's audit trail until it has n.
func (s *Server) Trail(account wallet.Wallet, n uint64) {
	s.t.Helper()
	actions := []string{protocol.ActionAccessGranted, protocol.ActionRenewed, protocol.ActionSynced}
	err := s.store.Update(context.Background(), func(tx broker.Tx) error {
		head, err := tx.AuditHead(account)
		for err == nil && head.Number < n {
			row := protocol.AuditRow{
				Number: head.Number + 1, Time: s.Clock.Now().Unix(), Service: "trail",
				Action: actions[head.Number%3], Result: "ok", Where: "broker",
			}
			row.SHA256 = protocol.ChainRow(head.SHA256, row)
			head = protocol.AuditHead{Number: row.Number, SHA256: row.SHA256}
			err = tx.AddAudit(account, row)
		}
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

// Strangers adds n open pairings from each address, as a flood of requests leaves them. No
// board uses their lookups.
func (s *Server) Strangers(n int, addresses ...string) {
	s.t.Helper()
	at := s.Clock.Now().Unix()
	err := s.store.Update(context.Background(), func(tx broker.Tx) error {
		for i := range n * len(addresses) {
			p := broker.Pairing{
				TokenSHA256: session.TokenHash(session.NewToken()), Lookup: fmt.Sprintf("s%d", i), Request: []byte("{}"), MAC: make([]byte, 32),
				State: broker.PairingOpen, Address: addresses[i%len(addresses)], OpenedAt: at, ExpiresAt: at + 600,
			}
			if err := errors.Join(tx.AddToken(broker.Token{Hash: p.TokenSHA256, Kind: broker.TokenPairing}), tx.AddPairing(p)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

// LivePairings counts the open and the denied pairings.
func (s *Server) LivePairings() int {
	s.t.Helper()
	n := 0
	err := s.store.View(context.Background(), func(tx broker.Tx) (err error) {
		n, err = tx.CountLivePairings()
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return n
}
