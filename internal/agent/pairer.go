package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/agentkeys/agentkeys/internal/pairing"
	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/scope"
	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/store"
	"github.com/agentkeys/agentkeys/internal/wallet"
)

// PairConfig is what pairing needs; nothing but Unit may be nil.
type PairConfig struct {
	Broker  PairBroker
	URL     string // of the broker, pins included; stored in the session
	Store   PairStore
	Logger  *slog.Logger
	Random  func() float64
	Host    string // shown to the owner; unprintable names are left out
	Machine string // hash of the board's serial number; may be empty
	// ShowCode shows the code to the person at the board; life is how long it is good.
	// An error ends the pairing: nobody can approve what nobody saw. The pending slot
	// stays, and the same command goes on with it.
	ShowCode func(c pairing.Code, life time.Duration) error
	// Patience is how long a broker that does not answer the first request is asked
	// again before the person is told.
	Patience time.Duration
	Unit     Unit // may be nil: nothing starts the daemon but a person
}

// Unit is what will start the daemon of a wallet. How it runs is settled before its
// slot is there: a slot without that would be started as the wrong user.
type Unit interface {
	// May says, before an owner is asked to approve a recovery, why Prepare would fail.
	May(w wallet.Wallet) error
	// Prepare settles it durably. It is called right before the slot of w is made, and
	// again when a pairing that was cut off there goes on.
	Prepare(w wallet.Wallet) error
}

// PairRequest is what a person asked for.
type PairRequest struct {
	Kind     string      // pairing.KindPair or pairing.KindRecover
	Alias    string      // a wish; empty: none
	Scope    scope.Scope // a wish; the owner decides
	Identity string      // recover: wallet, alias or e-mail
}

// Paired is the outcome.
type Paired struct {
	Wallet  wallet.Wallet
	Owner   wallet.Wallet
	Scope   scope.Scope
	Backend store.Backend
}

// Failure says why a pairing ended without an agent. Code is stable:
// pairing_denied, pairing_expired, pairing_forged, broker_away, or the broker's own.
type Failure struct {
	Code string
	Err  error
}

func (f *Failure) Error() string { return f.Err.Error() }

// Unwrap gives the cause.
func (f *Failure) Unwrap() error { return f.Err }

// Errors of a pairing that the person at the board reads.
var (
	ErrPairingDenied  = errors.New("the owner denied this pairing")
	ErrPairingGone    = errors.New("the owner approved, but what the session needs was removed on this machine")
	ErrPairingExpired = errors.New("nobody approved within the life of the code")
)

// Pair makes this board an agent of an owner, or the same agent again. It takes up
// a pending slot that still lives and else makes a new one; a slot of an agent is
// touched only by the last step, one Save. Errors are *Failure, or the store's.
func Pair(ctx context.Context, c PairConfig, r PairRequest) (Paired, error) {
	p := &pairer{c: c, r: r}
	if r.Kind == pairing.KindRecover {
		w, err := p.resolve(ctx)
		if err != nil {
			return Paired{}, err
		}
		p.wallet = w
		if err := p.mayReplace(ctx); err != nil {
			return Paired{}, err
		}
	}
	if done, out, err := p.resume(ctx); done || err != nil {
		return out, err
	}
	if err := p.open(ctx); err != nil {
		return Paired{}, err
	}
	defer p.release()
	return p.await(ctx)
}

// pairer is one pairing under way.
type pairer struct {
	c       PairConfig
	r       PairRequest
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
	case hasCode(err, protocol.CodeNotFound):
		return w, &Failure{protocol.CodeNotFound, fmt.Errorf("no agent is called %q", p.r.Identity)}
	case hasCode(err, protocol.CodeConflict):
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
			return Paired{}, err // the pending slot stays: `pair` goes on with it
		}
	}
	info, err := p.c.Store.Promote(context.WithoutCancel(ctx), p.id, session.DaemonID(g.Wallet), s)
	if errors.Is(err, store.ErrNoSession) {
		return Paired{}, fmt.Errorf("wallet %s: %w: %w", g.Wallet, ErrPairingGone, err)
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
