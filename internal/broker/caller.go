package broker

import (
	"context"
	"errors"
	"net/http"

	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/wallet"
)

// Credentials are the authentication of a request: the hash of its bearer token ("" for none), its
// address, and the epoch that an owner knows of ("" for none).
type Credentials struct {
	TokenSHA256 string
	Address     string
	Epoch       string
	Known       func() // called when the token turns out to be good; may be nil

	admitted bool // the request was counted already, or its proof takes the place of that
}

// principal is the session that a request was authenticated as.
type principal struct {
	Account wallet.Wallet
	Wallet  wallet.Wallet
	Role    string
	Session int64
	hash    string
}

// seenEvery is how often, at most, presence alone is written, in seconds.
const seenEvery = 60

// authenticate decides what a presented token allows, by the table in
// docs/spec/architecture.md#sessions-at-the-broker. Its changes (first use of N, a lapse, presence)
// are durable before it returns.
func (b *Broker) authenticate(ctx context.Context, c Credentials) (principal, error) {
	var p principal
	var refusal *protocol.Problem
	err := b.store.Update(ctx, func(tx Tx) error {
		var err error
		p, refusal, err = b.present(tx, c)
		return err
	})
	if err != nil {
		return principal{}, err
	}
	if refusal != nil {
		return principal{}, refusal
	}
	if c.Known != nil {
		c.Known()
	}
	return p, nil
}

// present returns a refusal together with a nil error if the changes must be committed.
func (b *Broker) present(tx Tx, c Credentials) (principal, *protocol.Problem, error) {
	t, err := tx.Token(c.TokenSHA256)
	if errors.Is(err, ErrNone) || (err == nil && t.Kind == TokenPairing) {
		return principal{}, b.unknownToken(wallet.Wallet{}), nil
	}
	if err != nil {
		return principal{}, nil, err
	}
	if t.Kind == TokenEnded {
		return principal{}, revoked(), nil
	}
	s, err := tx.Session(t.Account, t.Session)
	if err != nil {
		return principal{}, nil, err
	}
	if refusal, err := b.closedTo(tx, s.Account, s.Role, c.Epoch); refusal != nil || err != nil {
		return principal{}, refusal, err
	}
	if s, err = b.expire(tx, s); err != nil {
		return principal{}, nil, err
	}
	if refusal := b.refusalFor(s, t); refusal != nil {
		return principal{}, refusal, nil
	}
	if t.Kind == TokenNext {
		if s, err = b.firstUse(tx, s, t); err != nil {
			return principal{}, nil, err
		}
	}
	p := principal{Account: s.Account, Wallet: s.Wallet, Role: s.Role, Session: s.ID, hash: t.Hash}
	return p, nil, b.seen(tx, s, c.Address)
}

// refusalFor is the table's rows for C, N and R; nil: C or N of an active session.
func (b *Broker) refusalFor(s Session, t Token) *protocol.Problem {
	switch {
	case s.State == StateEnded:
		return revoked()
	case s.State == StateLapsed:
		return b.expired(s.Wallet)
	case t.Kind == TokenRetired:
		return b.retired(s.Wallet)
	case s.State == StateParked:
		return cloneSuspected()
	}
	return nil
}

func (b *Broker) unknownToken(w wallet.Wallet) *protocol.Problem {
	return b.challenged(protocol.CodeTokenUnknown, "this token is not known here", w)
}

func (b *Broker) retired(w wallet.Wallet) *protocol.Problem {
	return b.challenged(protocol.CodeTokenRetired, "a newer token took the place of this one", w)
}

func (b *Broker) expired(w wallet.Wallet) *protocol.Problem {
	return b.challenged(protocol.CodeSessionExpired, "this session was not renewed for 30 days", w)
}

func (b *Broker) challenged(code, detail string, w wallet.Wallet) *protocol.Problem {
	p := refuse(http.StatusUnauthorized, code, detail)
	p.Challenge = b.challenges.New(w, b.unix())
	return p
}

// seen records that the session was used, often enough to know which sessions are in use, and
// rarely enough not to write at every request.
func (b *Broker) seen(tx Tx, s Session, address string) error {
	now := b.unix()
	if s.Used && s.SeenEpoch == b.epoch && s.Address == address && now-s.LastSeen < seenEvery && now >= s.LastSeen {
		return nil
	}
	s.Used, s.SeenEpoch, s.Address, s.LastSeen = true, b.epoch, address, now
	err := tx.SetSession(s)
	if u := (*Unwritable)(nil); errors.As(err, &u) {
		return nil // a request is not refused because its presence cannot be written
	}
	return err
}

// as authenticates, checks that the session has not ended in between, and runs f in one
// transaction. A denial by f is audited; an error of f leaves nothing changed.
func (b *Broker) as(ctx context.Context, c Credentials, f func(Tx, principal) error) error {
	p, err := b.authenticate(ctx, c)
	if err != nil {
		return err
	}
	if p.Role == RoleAgent && !c.admitted {
		if wait := b.limits.requests.Take(p.Wallet.String(), b.now()); wait > 0 {
			return slowDown("too many requests of this agent", wait)
		}
	}
	err = b.store.Update(ctx, func(tx Tx) error {
		if err := b.still(tx, p); err != nil {
			return err
		}
		return f(tx, p)
	})
	var d *denial
	if errors.As(err, &d) {
		return b.recordDenial(ctx, p.Account, d.row, d.Problem)
	}
	return err
}

// still refuses a principal whose token was revoked after it was authenticated.
func (b *Broker) still(tx Tx, p principal) error {
	t, err := tx.Token(p.hash)
	if errors.Is(err, ErrNone) {
		return b.unknownToken(p.Wallet)
	}
	if err != nil {
		return err
	}
	if t.Kind == TokenEnded {
		return revoked()
	}
	s, err := tx.Session(p.Account, p.Session)
	if err != nil {
		return err
	}
	if refusal := b.refusalFor(s, t); refusal != nil {
		return refusal
	}
	return nil
}

// denial is a refusal that the owner sees in the audit trail.
type denial struct {
	*protocol.Problem
	row protocol.AuditRow
}

// Unwrap lets errors.As find the Problem.
func (d *denial) Unwrap() error { return d.Problem }

func deny(p principal, refusal *protocol.Problem, service, detail string) error {
	row := protocol.AuditRow{Service: service, Action: protocol.ActionAccessDenied, Detail: detail}
	if p.Role == RoleAgent {
		row.Agent = p.Wallet
	}
	return &denial{Problem: refusal, row: row}
}

func (b *Broker) asOwner(ctx context.Context, c Credentials, f func(Tx, principal) error) error {
	return b.as(ctx, c, func(tx Tx, p principal) error {
		if p.Role != RoleOwner {
			return deny(p, denied("only the owner may do this"), "", "an owner's request")
		}
		return f(tx, p)
	})
}

func (b *Broker) asAgent(ctx context.Context, c Credentials, f func(Tx, principal) error) error {
	return b.as(ctx, c, func(tx Tx, p principal) error {
		if p.Role != RoleAgent {
			return denied("only an agent may do this")
		}
		return f(tx, p)
	})
}
