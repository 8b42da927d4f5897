package broker

import (
	"context"
	"errors"
	"regexp"

	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/wallet"
)

var hashPattern = regexp.MustCompile(`\A[0-9a-f]{64}\z`)

// expire applies to a session what time has done: it lapsed after 30 days without renewal, or ended
// because an approval was not used for 24 hours.
func (b *Broker) expire(tx Tx, s Session) (Session, error) {
	now := b.unix()
	unused := !s.Used && s.Role == RoleAgent && now >= s.CreatedAt+unusedLife
	if s.State == StateEnded || s.State == StateLapsed || (now < s.ExpiresAt && !unused) {
		return s, nil
	}
	held, err := b.clockHeld(tx)
	if err != nil || held {
		return s, err
	}
	if unused {
		row := protocol.AuditRow{Agent: s.Wallet, Action: protocol.ActionRevoked, Detail: "the approval was not used for 24 hours"}
		if err := b.record(tx, s.Account, row); err != nil {
			return s, err
		}
		return b.end(tx, s)
	}
	s.State = StateLapsed
	return s, tx.SetSession(s)
}

// firstUse makes N the current token: R += C, C := N, N := none, and 30 days from now.
func (b *Broker) firstUse(tx Tx, s Session, next Token) (Session, error) {
	if err := b.retireCurrent(tx, s); err != nil {
		return s, err
	}
	next.Kind = TokenCurrent
	if err := tx.SetToken(s.Account, next); err != nil {
		return s, err
	}
	s.RenewedAt = b.unix()
	s.ExpiresAt = s.RenewedAt + sessionLife
	if err := tx.SetSession(s); err != nil {
		return s, err
	}
	return s, b.record(tx, s.Account, protocol.AuditRow{Agent: s.Wallet, Action: protocol.ActionRenewed})
}

// retireCurrent moves C to R and removes the oldest of R beyond 64.
func (b *Broker) retireCurrent(tx Tx, s Session) error {
	tokens, err := tx.Tokens(s.Account, s.ID)
	if err != nil {
		return err
	}
	var retired []Token
	for _, t := range tokens {
		switch t.Kind {
		case TokenCurrent:
			t.Kind = TokenRetired
			if err := tx.SetToken(s.Account, t); err != nil {
				return err
			}
			retired = append(retired, t)
		case TokenRetired:
			retired = append(retired, t)
		}
	}
	for _, t := range retired[:max(len(retired)-keptRetired, 0)] {
		if err := tx.DropToken(t.Hash); err != nil {
			return err
		}
	}
	return nil
}

// end invalidates C, N, R and the device's keys, and ends open pairings of the wallet.
func (b *Broker) end(tx Tx, s Session) (Session, error) {
	tokens, err := tx.Tokens(s.Account, s.ID)
	if err != nil {
		return s, err
	}
	for _, t := range tokens {
		t.Kind = TokenEnded
		if err := tx.SetToken(s.Account, t); err != nil {
			return s, err
		}
	}
	if err := b.endPairings(tx, s.Wallet); err != nil {
		return s, err
	}
	s.State, s.EndedAt = StateEnded, b.unix()
	return s, tx.SetSession(s)
}

// live is the wallet's one session that has not ended, after expire; ErrNone: there is none.
func (b *Broker) live(tx Tx, account, w wallet.Wallet) (Session, error) {
	all, err := tx.Sessions(account, w)
	if err != nil {
		return Session{}, err
	}
	if len(all) == 0 || all[0].State == StateEnded {
		return Session{}, ErrNone
	}
	s, err := b.expire(tx, all[0])
	if err == nil && s.State == StateEnded {
		return Session{}, ErrNone
	}
	return s, err
}

func (b *Broker) info(s Session) protocol.SessionInfo {
	return protocol.SessionInfo{Wallet: s.Wallet, Role: s.Role, CreatedAt: s.RenewedAt, ExpiresAt: s.ExpiresAt, Time: b.unix()}
}

// Session describes the bearer's session.
func (b *Broker) Session(ctx context.Context, c Credentials) (protocol.SessionInfo, error) {
	var out protocol.SessionInfo
	err := b.as(ctx, c, func(tx Tx, p principal) error {
		s, err := tx.Session(p.Account, p.Session)
		out = b.info(s)
		return err
	})
	return out, err
}

// EndSession ends the bearer's own session. For an owner the token is enough. For an agent the
// device's signature is required too, because only its owner could restore it.
func (b *Broker) EndSession(ctx context.Context, c Credentials, body protocol.EndSession) error {
	proof := deviceProof{what: "end", of: RoleAgent, signature: body.Proof, text: func(w wallet.Wallet) []byte {
		return session.EndText(w, c.TokenSHA256)
	}}
	if err := b.checkDeviceProof(ctx, c, proof); err != nil {
		return err
	}
	c.admitted = true
	var w wallet.Wallet
	err := b.takeAway(func() error {
		return b.as(ctx, c, func(tx Tx, p principal) error {
			s, err := tx.Session(p.Account, p.Session)
			if err != nil {
				return err
			}
			w = p.Wallet
			if _, err := b.end(tx, s); err != nil {
				return err
			}
			return b.record(tx, p.Account, protocol.AuditRow{Agent: p.Wallet, Action: protocol.ActionRevoked, Detail: "by itself"})
		})
	})
	if err == nil {
		b.wake.Changed(w.String())
	}
	return err
}

// Renew registers the hash of the token that will follow the presented one.
func (b *Broker) Renew(ctx context.Context, c Credentials, body protocol.Renew) (protocol.SessionInfo, error) {
	if !hashPattern.MatchString(body.NextSHA256) {
		return protocol.SessionInfo{}, badRequest("next_sha256 is not 64 hex digits")
	}
	proof := deviceProof{what: "renew", signature: body.Proof, text: func(w wallet.Wallet) []byte {
		return session.RenewText(w, c.TokenSHA256, body.NextSHA256)
	}}
	if err := b.checkDeviceProof(ctx, c, proof); err != nil {
		return protocol.SessionInfo{}, err
	}
	c.admitted = true // the token alone must not use up the rate of a request with a proof
	var out protocol.SessionInfo
	err := b.as(ctx, c, func(tx Tx, p principal) error {
		s, err := tx.Session(p.Account, p.Session)
		if err != nil {
			return err
		}
		out = b.info(s)
		return b.setNext(tx, s, body.NextSHA256)
	})
	return out, err
}

// deviceProof is the signature that a request needs in addition to its token.
type deviceProof struct {
	what      string // for the audit trail
	of        string // the role that needs it; empty: every role
	signature []byte
	text      func(wallet.Wallet) []byte // what it must cover
}

// checkDeviceProof refuses a wrong proof with the token of an active or parked session (403,
// audited) before anything else is decided. A lapsed session gets no challenge.
func (b *Broker) checkDeviceProof(ctx context.Context, c Credentials, proof deviceProof) error {
	var refusal *protocol.Problem
	err := b.store.Update(ctx, func(tx Tx) error {
		refusal = nil
		t, err := tx.Token(c.TokenSHA256)
		if errors.Is(err, ErrNone) || (err == nil && t.Kind != TokenCurrent && t.Kind != TokenNext) {
			return nil // authenticate has the reason
		}
		if err != nil {
			return err
		}
		s, err := tx.Session(t.Account, t.Session)
		if err != nil {
			return err
		}
		if s, err = b.expire(tx, s); err != nil || s.State == StateEnded || (s.State == StateParked && t.Kind == TokenNext) {
			return err
		}
		if proof.of != "" && proof.of != s.Role || session.CheckProof(s.DeviceSignKey, proof.text(s.Wallet), proof.signature) == nil {
			return nil
		}
		if s.State == StateLapsed {
			refusal = b.expired(s.Wallet)
			refusal.Challenge = ""
			return nil
		}
		refusal = denied("the proof is not this device's")
		if wait := b.limits.proofs.Take(s.Wallet.String(), b.now()); wait > 0 {
			refusal = slowDown("too many wrong proofs", wait)
		}
		return b.record(tx, s.Account, protocol.AuditRow{
			Agent: s.Wallet, Action: protocol.ActionProofFailed, Result: resultDenied, Detail: proof.what + " from " + c.Address,
		})
	})
	if err != nil || refusal == nil {
		return err
	}
	return refusal
}

// setNext makes hash the session's N. The same hash again changes nothing; another unused N is
// replaced; a hash that is known elsewhere is a conflict.
func (b *Broker) setNext(tx Tx, s Session, hash string) error {
	tokens, err := tx.Tokens(s.Account, s.ID)
	if err != nil {
		return err
	}
	for _, t := range tokens {
		if t.Kind != TokenNext {
			continue
		}
		if t.Hash == hash {
			return nil
		}
		if err := tx.DropToken(t.Hash); err != nil {
			return err
		}
		row := protocol.AuditRow{Agent: s.Wallet, Action: protocol.ActionRenewed, Detail: "a token that was registered and not used was replaced"}
		if err := b.record(tx, s.Account, row); err != nil {
			return err
		}
	}
	return addToken(tx, s, hash, TokenNext)
}

func addToken(tx Tx, s Session, hash, kind string) error {
	err := tx.AddToken(Token{Hash: hash, Kind: kind, Account: s.Account, Wallet: s.Wallet, Session: s.ID})
	if errors.Is(err, ErrTaken) {
		return conflict("this token hash is known already")
	}
	return err
}
