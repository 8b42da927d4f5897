package brokertest

import (
	"context"

	"github.com/agentkeys/agentkeys/internal/broker"
	"github.com/agentkeys/agentkeys/internal/scope"
	"github.com/agentkeys/agentkeys/internal/seal"
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
