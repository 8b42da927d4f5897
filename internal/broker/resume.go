package broker

import (
	"context"
	"errors"
	"net/http"

	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/session"
)

// Resume gives a new token to a device whose token is not accepted. The proof by its key is the
// permission. What it gets depends on the state of the session
// (docs/spec/architecture.md#sessions-at-the-broker).
func (b *Broker) Resume(ctx context.Context, c Credentials, body protocol.Resume) (protocol.SessionInfo, error) {
	if !hashPattern.MatchString(body.NextSHA256) {
		return protocol.SessionInfo{}, badRequest("next_sha256 is not 64 hex digits")
	}
	var out protocol.SessionInfo
	var refusal *protocol.Problem
	if err := b.checkResume(ctx, body); err != nil {
		return out, err
	}
	fresh := b.challenges.Use(body.Challenge, body.Wallet, b.unix())
	err := b.store.Update(ctx, func(tx Tx) error {
		var err error
		out, refusal, err = b.resume(tx, c, body, fresh)
		return err
	})
	if err != nil {
		return protocol.SessionInfo{}, err
	}
	if refusal == nil || refusal.Code == protocol.CodeCloneSuspected {
		b.wake.Changed(body.Wallet.String())
	}
	if refusal != nil {
		return protocol.SessionInfo{}, refusal
	}
	return out, nil
}

// checkResume refuses a request without a key of the wallet before anything is written or kept,
// since anyone may send one.
func (b *Broker) checkResume(ctx context.Context, body protocol.Resume) error {
	err := b.store.View(ctx, func(tx Tx) error {
		_, err := b.prover(tx, body)
		return err
	})
	if errors.Is(err, ErrNone) {
		return b.unknownToken(body.Wallet)
	}
	return err
}

// resume returns a refusal together with a nil error if the changes must be committed.
func (b *Broker) resume(tx Tx, c Credentials, body protocol.Resume, fresh bool) (protocol.SessionInfo, *protocol.Problem, error) {
	none := protocol.SessionInfo{}
	s, err := b.provenSession(tx, body)
	if errors.Is(err, ErrNone) {
		return none, b.unknownToken(body.Wallet), nil
	}
	if err != nil {
		return none, nil, err
	}
	if s.Role == RoleAgent {
		if refusal, err := b.closedTo(tx, s.Account, s.Role, ""); refusal != nil || err != nil {
			return none, refusal, err
		}
	}
	if t, err := tx.Token(body.NextSHA256); err == nil && t.Session == s.ID && s.State == StateActive &&
		(t.Kind == TokenCurrent || t.Kind == TokenNext) {
		return b.info(s), nil, nil // the same request again
	}
	if !fresh {
		return none, b.unknownToken(body.Wallet), nil
	}
	if s.Role == RoleOwner {
		return b.resumeOwner(tx, c, s, body.NextSHA256)
	}
	return b.resumeAgent(tx, c, s, body.NextSHA256)
}

// provenSession is the session that prover finds, after expire.
func (b *Broker) provenSession(tx Tx, body protocol.Resume) (Session, error) {
	s, err := b.prover(tx, body)
	if err != nil {
		return s, err
	}
	return b.expire(tx, s)
}

// prover finds the session of the wallet whose device made the proof: the live one first, else one
// that ended. ErrNone: no key of the wallet made it.
func (b *Broker) prover(tx Tx, body protocol.Resume) (Session, error) {
	account, err := tx.AccountOf(body.Wallet)
	if err != nil {
		return Session{}, err
	}
	all, err := tx.Sessions(account, body.Wallet)
	if err != nil {
		return Session{}, err
	}
	text := session.ResumeText(body.Wallet, body.NextSHA256, body.Challenge)
	for _, s := range all {
		if session.CheckProof(s.DeviceSignKey, text, body.Proof) == nil {
			return s, nil
		}
	}
	return Session{}, ErrNone
}

func (b *Broker) resumeAgent(tx Tx, c Credentials, s Session, hash string) (protocol.SessionInfo, *protocol.Problem, error) {
	none := protocol.SessionInfo{}
	switch s.State {
	case StateEnded:
		return none, revoked(), nil
	case StateParked:
		return none, cloneSuspected(), nil
	case StateLapsed:
		return none, refuse(http.StatusForbidden, protocol.CodeApprovalNeeded, "the owner must reopen this session"), b.ask(tx, s, hash)
	}
	if s.SeenEpoch == b.epoch {
		s.State = StateParked
		if err := tx.SetSession(s); err != nil {
			return none, nil, err
		}
		return none, cloneSuspected(), b.record(tx, s.Account, protocol.AuditRow{
			Agent: s.Wallet, Action: protocol.ActionParked, Result: resultDenied,
			Detail: "last seen from " + s.Address + ", another from " + c.Address,
		})
	}
	if err := b.setNext(tx, s, hash); err != nil {
		return none, nil, err
	}
	row := protocol.AuditRow{Agent: s.Wallet, Action: protocol.ActionResumed, Detail: "from " + c.Address}
	return b.info(s), nil, b.record(tx, s.Account, row)
}

// ask remembers the token that a lapsed device will use if its owner reopens the session. Its own
// C or N is known already.
func (b *Broker) ask(tx Tx, s Session, hash string) error {
	tokens, err := tx.Tokens(s.Account, s.ID)
	if err != nil {
		return err
	}
	known := false
	for _, t := range tokens {
		switch {
		case t.Hash == hash && t.Kind != TokenRetired:
			known = true
		case t.Kind == TokenAsked:
			if err := tx.DropToken(t.Hash); err != nil {
				return err
			}
		}
	}
	if known {
		return nil
	}
	return addToken(tx, s, hash, TokenAsked)
}

// resumeOwner replaces the owner's session, whatever its state is, because the signing key proves
// the owner. Tokens of the old one are retired, so that another machine learns that the account
// was opened elsewhere.
func (b *Broker) resumeOwner(tx Tx, c Credentials, s Session, hash string) (protocol.SessionInfo, *protocol.Problem, error) {
	none := protocol.SessionInfo{}
	tokens, err := tx.Tokens(s.Account, s.ID)
	if err != nil {
		return none, nil, err
	}
	if err := b.retireCurrent(tx, s); err != nil {
		return none, nil, err
	}
	for _, t := range tokens {
		if t.Kind == TokenNext {
			if err := tx.DropToken(t.Hash); err != nil {
				return none, nil, err
			}
		}
	}
	if err := addToken(tx, s, hash, TokenCurrent); err != nil {
		return none, nil, err
	}
	now := b.unix()
	s.State, s.EndedAt, s.RenewedAt, s.ExpiresAt = StateActive, 0, now, now+sessionLife
	if err := tx.SetSession(s); err != nil {
		return none, nil, err
	}
	row := protocol.AuditRow{Action: protocol.ActionResumed, Detail: "the owner, from " + c.Address}
	return b.info(s), nil, b.record(tx, s.Account, row)
}
