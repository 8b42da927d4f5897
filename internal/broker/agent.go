package broker

import (
	"context"
	"errors"
	"slices"

	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/wallet"
)

// onlineFor is how long after its last request an agent counts as online, in seconds. An agent
// that waits in a long poll is always online.
const onlineFor = 90

// A page of agents ends at either of these, so that a large fleet fits into several answers.
const (
	agentsPerPage = 500
	agentsBytes   = 4 << 20 // of manifests; a page has at least one agent
)

// Agents is a page of an owner's agents, oldest first, after the cursor.
func (b *Broker) Agents(ctx context.Context, c Credentials, cursor uint64) (protocol.AgentList, error) {
	var out protocol.AgentList
	err := b.asOwner(ctx, c, func(tx Tx, p principal) error {
		out = protocol.AgentList{Agents: []protocol.Agent{}}
		list, err := tx.Agents(p.Account, cursor, agentsPerPage+1)
		if err != nil {
			return err
		}
		bytes := 0
		for i, a := range list {
			if bytes += len(a.Manifest); i == agentsPerPage || i > 0 && bytes > agentsBytes {
				out.Next = list[i-1].Place
				break
			}
			shown, err := b.show(tx, a)
			if err != nil {
				return err
			}
			out.Agents = append(out.Agents, shown)
		}
		return nil
	})
	return out, err
}

// Agent describes one agent.
func (b *Broker) Agent(ctx context.Context, c Credentials, w wallet.Wallet) (protocol.Agent, error) {
	var out protocol.Agent
	err := b.asOwner(ctx, c, func(tx Tx, p principal) error {
		a, err := b.ownAgent(tx, p, w)
		if err != nil {
			return err
		}
		out, err = b.show(tx, a)
		return err
	})
	return out, err
}

// ownAgent is own without the owner's own wallet.
func (b *Broker) ownAgent(tx Tx, p principal, w wallet.Wallet) (Agent, error) {
	a, err := b.own(tx, p, w)
	if err == nil && a.Role != RoleAgent {
		return a, notFound("no such agent")
	}
	return a, err
}

func (b *Broker) show(tx Tx, a Agent) (protocol.Agent, error) {
	out := protocol.Agent{
		Wallet: a.Wallet, State: protocol.AgentRevoked, Manifest: signedOf(a), CreatedAt: a.CreatedAt,
		Machine: a.Machine, Host: a.Host, Version: a.Version, StorageBackend: a.StorageBackend, KeychainState: a.KeychainState,
	}
	all, err := tx.Sessions(a.Account, a.Wallet)
	if err != nil || len(all) == 0 {
		return out, err
	}
	s, err := b.expire(tx, all[0])
	if err != nil {
		return out, err
	}
	out.ExpiresAt, out.LastSeen, out.Address = s.ExpiresAt, s.LastSeen, s.Address
	out.State = b.stateOf(s)
	return out, nil
}

func (b *Broker) stateOf(s Session) string {
	switch {
	case s.State == StateEnded:
		return protocol.AgentRevoked
	case s.State == StateParked:
		return protocol.AgentParked
	case s.State == StateLapsed:
		return protocol.AgentLapsed
	case !s.Used:
		return protocol.AgentNeverSeen
	case b.wake.Waiting(s.Wallet.String()), b.unix()-s.LastSeen < onlineFor:
		return protocol.AgentOnline
	}
	return protocol.AgentOffline
}

// Revoke ends an agent's session. Its manifest and records stay for a recovery. Revoking again is
// no error.
func (b *Broker) Revoke(ctx context.Context, c Credentials, w wallet.Wallet) error {
	err := b.takeAway(func() error {
		return b.asOwner(ctx, c, func(tx Tx, p principal) error {
			a, err := tx.Agent(p.Account, w)
			if errors.Is(err, ErrNone) || (err == nil && a.Role != RoleAgent) {
				return notFound("no such agent")
			}
			if err != nil {
				return err
			}
			return b.endLive(tx, a, protocol.ActionRevoked)
		})
	})
	if err == nil {
		b.wake.Changed(w.String())
	}
	return err
}

// endLive ends the wallet's session, if there is one, with a row in the audit trail. Open
// pairings of the wallet end in any case.
func (b *Broker) endLive(tx Tx, a Agent, action string) error {
	s, err := b.live(tx, a.Account, a.Wallet)
	if errors.Is(err, ErrNone) {
		return b.endPairings(tx, a.Wallet)
	}
	if err != nil {
		return err
	}
	if _, err := b.end(tx, s); err != nil {
		return err
	}
	return b.record(tx, a.Account, protocol.AuditRow{Agent: a.Wallet, Action: action})
}

// Teardown ends an agent for good: it removes session, manifest, records and names. Its wallet is
// never used again.
func (b *Broker) Teardown(ctx context.Context, c Credentials, w wallet.Wallet) error {
	err := b.takeAway(func() error {
		return b.asOwner(ctx, c, func(tx Tx, p principal) error { return b.tearDown(tx, p, w) })
	})
	if err == nil {
		b.wake.Changed(w.String())
	}
	return err
}

func (b *Broker) tearDown(tx Tx, p principal, w wallet.Wallet) error {
	a, err := tx.Agent(p.Account, w)
	if errors.Is(err, ErrNone) || (err == nil && a.Role != RoleAgent) {
		return notFound("no such agent")
	}
	if err != nil || a.TornDownAt != 0 {
		return err
	}
	if err := b.endLive(tx, a, protocol.ActionRevoked); err != nil {
		return err
	}
	entries, err := tx.Entries(p.Account, w)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := tx.DropRecord(p.Account, w, e.Service); err != nil {
			return err
		}
	}
	if err := tx.SetIdentities(p.Account, w, nil); err != nil {
		return err
	}
	a.TornDownAt, a.Manifest, a.Signature = b.unix(), nil, nil
	if err := tx.SetAgent(a); err != nil {
		return err
	}
	return b.record(tx, p.Account, protocol.AuditRow{Agent: w, Action: protocol.ActionTornDown})
}

// Reopen reactivates a lapsed session, with the token that its device asked for. It widens
// access, so it requires the owner's signature; the owner's token is not enough.
func (b *Broker) Reopen(ctx context.Context, c Credentials, w wallet.Wallet, body protocol.Reopen) error {
	err := b.asOwner(ctx, c, func(tx Tx, p principal) error {
		a, err := b.ownAgent(tx, p, w)
		if err != nil {
			return err
		}
		owner, err := tx.Account(p.Account)
		if err != nil {
			return err
		}
		text := session.ReopenText(p.Account, w, p.hash)
		if session.CheckProof(owner.SigningKey, text, body.Proof) != nil {
			return denied("the proof is not by the owner's key")
		}
		s, err := b.live(tx, p.Account, w)
		if errors.Is(err, ErrNone) {
			return conflict("the session ended: it can only be recovered")
		}
		if err != nil {
			return err
		}
		return b.reopen(tx, a, s)
	})
	if err == nil {
		b.wake.Changed(w.String())
	}
	return err
}

func (b *Broker) reopen(tx Tx, a Agent, s Session) error {
	switch s.State {
	case StateActive:
		return nil
	case StateParked:
		return conflict("two devices hold this session: recover on the right one, or revoke it")
	}
	tokens, err := tx.Tokens(s.Account, s.ID)
	if err != nil {
		return err
	}
	if err := promoteAsked(tx, s, tokens); err != nil {
		return err
	}
	s.State, s.ExpiresAt = StateActive, b.unix()+sessionLife
	if err := tx.SetSession(s); err != nil {
		return err
	}
	return b.record(tx, a.Account, protocol.AuditRow{Agent: a.Wallet, Action: protocol.ActionReopened})
}

// promoteAsked makes the token that the device asked for N, instead of an earlier N. A device that
// did not ask for one keeps its tokens.
func promoteAsked(tx Tx, s Session, tokens []Token) error {
	asked := slices.IndexFunc(tokens, func(t Token) bool { return t.Kind == TokenAsked })
	if asked < 0 {
		return nil
	}
	for _, t := range tokens {
		if t.Kind != TokenNext {
			continue
		}
		if err := tx.DropToken(t.Hash); err != nil {
			return err
		}
	}
	next := tokens[asked]
	next.Kind = TokenNext
	return tx.SetToken(s.Account, next)
}
