package broker_test

import (
	"testing"

	"github.com/agentkeys/agentkeys/internal/broker"
	"github.com/agentkeys/agentkeys/internal/broker/brokertest"
	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/scope"
	"github.com/agentkeys/agentkeys/internal/seal"
	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/wallet"
)

// Who has an owner's token without its keys signs with others. Everything that gives is
// refused, also by what the owner signed before; what only takes away is done.
func TestAnOwnersTokenAloneOnlyTakesAway(t *testing.T) {
	t.Parallel()
	s := brokertest.Start(t)
	owner := s.Owner()
	agent, lapsed := s.Agent(owner, scope.None(), "openrouter"), s.Agent(owner, scope.None())
	thief := &brokertest.Owner{Wallet: owner.Wallet, Token: owner.Token, Identity: seal.NewSeed(), Signing: seal.NewSeed()}
	c, board := thief.Credentials(), opened(t, s, "")
	before := brokertest.Must(s.Broker.Manifest(ctx(t), c, agent.Wallet))(t)
	narrow, wider := agent.Manifest, agent.Manifest
	narrow.Revision, narrow.Records = 2, nil
	if _, err := s.Broker.PutManifest(ctx(t), c, agent.Wallet, 1, owner.Put(t, narrow)); err != nil {
		t.Fatal(err)
	}
	wider.Revision, wider.Scope = 3, scope.All()
	reopen := session.ReopenText(owner.Wallet, lapsed.Wallet, c.TokenSHA256)
	for name, err := range map[string]error{
		"a wider scope": second(s.Broker.PutManifest(ctx(t), c, agent.Wallet, 2, thief.Put(t, wider))),
		"an earlier word of the owner": second(s.Broker.PutManifest(ctx(t), c, agent.Wallet, 2,
			protocol.PutManifest{Manifest: before.SignedManifest, Records: []protocol.SealedRecord{}})),
		"an approval": second(s.Broker.ApprovePairing(ctx(t), c, thief.Approval(t, board, thief.Draft(t, board, wallet.New(), 1, scope.All())))),
		"reopen":      s.Broker.Reopen(ctx(t), c, lapsed.Wallet, protocol.Reopen{Proof: brokertest.Must(session.Prove(thief.Signing, reopen))(t)}),
		"renew": second(s.Broker.Renew(ctx(t), c, protocol.Renew{
			NextSHA256: session.TokenHash(session.NewToken()), Proof: brokertest.Must(session.Prove(thief.Signing, []byte("x")))(t),
		})),
	} {
		if got := code(t, err); got == "" {
			t.Errorf("%s: nothing refuses it", name)
		}
	}
	if now := brokertest.Must(s.Broker.Manifest(ctx(t), c, agent.Wallet))(t); now.Revision != 2 {
		t.Errorf("changed: revision %d", now.Revision)
	}
	for name, err := range map[string]error{
		"agents": second(s.Broker.Agents(ctx(t), c, 0)), "audit": second(s.Broker.Audit(ctx(t), c, protocol.AuditQuery{})),
		"revoke": s.Broker.Revoke(ctx(t), c, lapsed.Wallet), "tear down": s.Broker.Teardown(ctx(t), c, agent.Wallet),
		"deny": second(s.Broker.DenyPairing(ctx(t), c, protocol.DenyPairing{
			Lookup: board.Lookup, TokenSHA256: session.TokenHash(board.Token), MAC: make([]byte, 32),
		})),
	} {
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := s.Broker.Manifest(ctx(t), owner.Credentials(), agent.Wallet); code(t, err) != protocol.CodeNotFound {
		t.Errorf("a teardown is final: %v", err)
	}
	if err := s.Broker.EndSession(ctx(t), c, protocol.EndSession{}); err != nil {
		t.Errorf("the owner's own session: %v", err)
	}
	if err := s.OwnerResumes(owner); err != nil {
		t.Errorf("the owner's key brings the account back: %v", err)
	}
	if got := code(t, second(s.Broker.Session(ctx(t), broker.Credentials{TokenSHA256: c.TokenSHA256}))); got == "" {
		t.Error("the stolen token is good after the owner came back")
	}
}
