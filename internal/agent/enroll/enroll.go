// Package enroll makes a board an agent of an owner: it makes the keys and the token,
// shows the code to the person at the board, and stores the session when the owner has
// approved it. What it made before the approval is in a pending slot, so that the same
// command continues it after a crash. It talks to the world only through the ports of
// this file; time is the runtime's, so tests run it in testing/synctest bubbles.
package enroll

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/agentkeys/agentkeys/internal/pairing"
	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/scope"
	"github.com/agentkeys/agentkeys/internal/secret"
	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/store"
	"github.com/agentkeys/agentkeys/internal/wallet"
	"github.com/agentkeys/agentkeys/internal/words"
)

// Config is what pairing needs; nothing but Unit may be nil.
type Config struct {
	Broker  Broker
	URL     string // of the broker, pins included; stored in the session
	Store   Store
	Logger  *slog.Logger
	Random  func() float64
	Host    string // shown to the owner; unprintable names are left out
	Machine string // hash of the board's serial number; may be empty
	// ShowCode shows the code to the person at the board; life is how long it is good.
	// An error ends the pairing: no owner can approve a code that was not shown. The
	// pending slot stays, and the same command continues it.
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
	// again when a pairing that was interrupted there is continued.
	Prepare(w wallet.Wallet) error
}

// Broker is what pairing asks of a broker. Errors are *protocol.Problem for the broker's
// own word, and wrap protocol.ErrUnreachable or protocol.ErrCertificate for everything else.
type Broker interface {
	// OpenPairing: the same body again is the same pairing.
	OpenPairing(ctx context.Context, body protocol.OpenPairing) (protocol.PairingOpened, error)
	// PollPairing returns nil, nil where the owner did not decide within wait.
	PollPairing(ctx context.Context, token secret.String, wait time.Duration) (*protocol.Granted, error)
	Identity(ctx context.Context, identity string) (wallet.Wallet, error)
}

// Store is the slots as pairing needs them (internal/store).
type Store interface {
	Load(ctx context.Context, id session.ID) (session.Session, store.Info, error)
	Save(ctx context.Context, id session.ID, v session.Session) (store.Info, error)
	Delete(ctx context.Context, id session.ID) error
	Promote(ctx context.Context, pending, id session.ID, v session.Session) (store.Info, error)
	ReconcileSlot(ctx context.Context, id session.ID) error
	List() ([]store.Slot, error)
	HoldRun(id session.ID) (release func(), err error)
}

// Request is what a person asked for.
type Request struct {
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
	Backend words.Backend
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
	ErrDenied  = errors.New("the owner denied this pairing")
	ErrGone    = errors.New("the owner approved, but what the session needs was removed on this machine")
	ErrExpired = errors.New("nobody approved within the life of the code")
)

// Pair makes this board an agent of an owner, or the same agent again. It takes up
// a pending slot that still lives and else makes a new one; a slot of an agent is
// touched only by the last step, one Save. Errors are *Failure, or the store's.
func Pair(ctx context.Context, c Config, r Request) (Paired, error) {
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
