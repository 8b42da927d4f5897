package enroll

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/agentkeys/agentkeys/internal/pairing"
	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/store"
	"github.com/agentkeys/agentkeys/internal/wallet"
)

// pairer is one pairing under way.
type pairer struct {
	c       Config
	r       Request
	wallet  wallet.Wallet // recover: who to be again
	id      session.ID    // the pending slot
	s       session.Session
	code    pairing.Code
	key     pairing.Key
	release func() // the pending slot's run lock
	until   time.Time
}

// resolve asks the broker whose wallet an identity means.
func (p *pairer) resolve(ctx context.Context) (wallet.Wallet, error) {
	w, err := p.c.Broker.Identity(ctx, p.r.Identity)
	switch {
	case err == nil:
	case protocol.HasCode(err, protocol.CodeNotFound):
		return w, &Failure{protocol.CodeNotFound, fmt.Errorf("no agent is called %q", p.r.Identity)}
	case protocol.HasCode(err, protocol.CodeConflict):
		return w, &Failure{protocol.CodeConflict, fmt.Errorf("agents of several owners are called %q: give the wallet", p.r.Identity)}
	default:
		return w, failure(err)
	}
	if typed, err := wallet.Parse(p.r.Identity); err == nil && typed != w {
		return w, &Failure{protocol.CodeNotFound, fmt.Errorf("the broker answered with another wallet than %s", typed)}
	}
	return w, nil
}

// mayReplace refuses to begin where the last step would fail: after the approval the
// old session is gone. A slot that is corrupt, locked or absent is what recovery is for.
func (p *pairer) mayReplace(ctx context.Context) error {
	_, _, err := p.c.Store.Load(ctx, session.DaemonID(p.wallet))
	if errors.Is(err, store.ErrInsecure) || errors.Is(err, store.ErrNewer) {
		return err
	}
	if p.c.Unit == nil {
		return nil
	}
	return p.c.Unit.May(p.wallet)
}

// failure wraps an error of the broker with its stable code.
func failure(err error) error {
	var p *protocol.Problem
	switch {
	case errors.As(err, &p):
		return &Failure{p.Code, err}
	case errors.Is(err, protocol.ErrCertificate):
		return &Failure{protocol.CodeCertificate, err}
	case errors.Is(err, protocol.ErrUnreachable):
		return &Failure{protocol.CodeUnreachable, err}
	}
	return err
}

// promote makes the approved session the agent's, durably, and only then lets the
// pending slot go.
func (p *pairer) promote(ctx context.Context, granted *protocol.Granted) (Paired, error) {
	g, m, err := pairing.CheckGranted(p.key, p.s.Pairing.Request, p.wallet, *granted)
	if err != nil {
		p.discard(ctx)
		return Paired{}, &Failure{protocol.CodePairingForged, err}
	}
	s := p.s
	s.Wallet, s.Scope, s.Pairing = g.Wallet, m.Scope, nil
	s.Owner = &session.Owner{Wallet: g.Owner, SigningKey: g.OwnerSignKey}
	s.ManifestRevision = m.Revision
	s.CreatedAt, s.TTLSeconds = time.Now().Unix(), int64(session.TTL/time.Second)
	if p.c.Unit != nil {
		if err := p.c.Unit.Prepare(g.Wallet); err != nil {
			return Paired{}, err // the pending slot stays: `pair` continues it
		}
	}
	info, err := p.c.Store.Promote(context.WithoutCancel(ctx), p.id, session.DaemonID(g.Wallet), s)
	if errors.Is(err, store.ErrNoSession) {
		return Paired{}, fmt.Errorf("wallet %s: %w: %w", g.Wallet, ErrGone, err)
	}
	if err != nil && info.Generation == 0 {
		return Paired{}, fmt.Errorf("store the session: %w", err)
	}
	if err != nil { // the session is safe; the store collects what stays
		p.c.Logger.Warn("pending slot not removed", "session_id", p.id.String(), "error", err)
	}
	return Paired{Wallet: g.Wallet, Owner: g.Owner, Scope: m.Scope, Backend: info.Backend}, nil
}

// discard removes the pending slot: its code is good for nothing any more.
func (p *pairer) discard(ctx context.Context) {
	if err := p.c.Store.Delete(context.WithoutCancel(ctx), p.id); err != nil {
		p.c.Logger.Warn("pending slot not removed", "session_id", p.id.String(), "error", err)
	}
}
