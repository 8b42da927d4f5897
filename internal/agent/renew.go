package agent

import (
	"context"
	"errors"
	"time"

	"github.com/agentkeys/agentkeys/internal/health/condition"
	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/retry"
	"github.com/agentkeys/agentkeys/internal/secret"
	"github.com/agentkeys/agentkeys/internal/session"
)

// renewBackoff is how a renewal that failed is tried again: the session lives 30
// days, so there is no hurry.
func renewBackoff() retry.Backoff { return retry.Backoff{Min: time.Minute, Max: time.Hour} }

// renewal renews and plans the next one. Only what concerns the whole session is
// returned; a renewal that failed for itself leaves the rest going on.
func (l *link) renewal(ctx context.Context) error {
	err := l.renew(ctx)
	if err == nil {
		l.renewed, l.failing = 0, time.Time{}
		l.renewAt = time.Now().Add(session.RenewAfter(l.random()))
		l.observer.Renewal("ok")
		l.conditions.Set(condition.RenewalFailing, false, "")
		return nil
	}
	if ctx.Err() != nil || errors.Is(err, errSlotChanged) {
		return err
	}
	l.renewAt = time.Now().Add(renewBackoff().After(l.renewed, l.random(), protocol.RetryAfter(err)))
	l.renewed++
	l.observer.Renewal(renewalResult(err))
	if l.failing.IsZero() {
		l.failing = time.Now()
	}
	if time.Since(l.failing) >= session.RenewEvery {
		hint := ""
		if protocol.HasCode(err, protocol.CodeDenied) {
			hint = condition.HintRecover
		}
		l.conditions.SetHint(condition.RenewalFailing, protocol.Reason(err), hint)
	}
	if protocol.HasCode(err, protocol.CodeDenied, protocol.CodeConflict, protocol.CodeReadOnly) || errors.Is(err, errDisk) {
		return nil
	}
	return err
}

// errDisk marks a save that failed: the broker is not to blame.
var errDisk = errors.New("the session cannot be saved")

// renew is the daily renewal in its steps; the slot holds enough after each of
// them to go on from there.
func (l *link) renew(ctx context.Context) error {
	if l.ahead() {
		return l.commit(ctx)
	}
	if err := l.makeNext(ctx); err != nil {
		return err
	}
	s, _ := l.slot.snapshot()
	hash := session.TokenHash(s.Next)
	proof, err := session.Prove(s.DeviceSignKey, session.RenewText(s.Wallet, session.TokenHash(s.Token), hash))
	if err != nil {
		return err
	}
	if _, err = l.broker.Renew(ctx, s.Token, protocol.Renew{NextSHA256: hash, Proof: proof}); err != nil {
		l.drop = protocol.HasCode(err, protocol.CodeConflict)
		return l.refused(ctx, err)
	}
	if err := l.useNext(ctx); err != nil {
		return l.refused(ctx, err)
	}
	return nil
}

// makeNext makes the next token and stores it before anybody hears of it.
func (l *link) makeNext(ctx context.Context) error {
	s, _ := l.slot.snapshot()
	if !s.Next.IsZero() && !l.drop {
		return nil
	}
	next := session.NewToken()
	err := l.save(ctx, func(s *session.Session) { s.Next = next })
	if err == nil {
		l.drop = false
		return nil
	}
	if errors.Is(err, errSlotChanged) {
		return err
	}
	return errors.Join(errDisk, err)
}

// useNext is the first use of the next token, which makes it the current one, and
// then the save that says so. The error is the broker's own word, or errDisk.
func (l *link) useNext(ctx context.Context) error {
	s, _ := l.slot.snapshot()
	l.unsure = true
	info, err := l.broker.Session(ctx, s.Next)
	if err != nil {
		return err
	}
	l.unsure, l.info = false, info
	l.slot.use(s.Next)
	return l.commit(ctx)
}

// ahead: the next token is in use but the slot does not call it the token yet,
// because the card could not be written. The slot holds both, so nothing is lost.
func (l *link) ahead() bool {
	s, _ := l.slot.snapshot()
	return !l.slot.bearer().Equal(s.Token)
}

// commit saves the next token as the token.
func (l *link) commit(ctx context.Context) error {
	err := l.save(ctx, func(s *session.Session) {
		s.Token, s.Next = s.Next, secret.String{}
		s.CreatedAt, s.TTLSeconds = l.info.CreatedAt, max(l.info.ExpiresAt-l.info.CreatedAt, 0)
	})
	if err != nil {
		return errors.Join(errDisk, err)
	}
	l.renewAt = time.Now().Add(session.RenewAfter(l.random()))
	l.conditions.Set(condition.SessionExpired, false, "")
	return nil
}

// resolveNext finds out, after a crash or a lost answer, whether the slot's next token
// is the current one by now: it tries next, and otherwise keeps token.
func (l *link) resolveNext(ctx context.Context) error {
	s, _ := l.slot.snapshot()
	if s.Next.IsZero() {
		l.unsure = false
		return nil
	}
	err := l.useNext(ctx)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errDisk) && !errors.Is(err, errSlotChanged):
		l.renewAt = time.Now().Add(renewBackoff().Min)
		return nil
	case protocol.HasCode(err, protocol.CodeReadOnly):
		return nil // it was not used, then: the token of before is good, and this one is tried before each poll
	case protocol.HasCode(err, protocol.CodeTokenUnknown):
		l.unsure, l.renewAt = false, time.Now() // never registered: go on with the renewal
		return nil
	case protocol.HasCode(err, protocol.CodeTokenRetired), protocol.HasCode(err, protocol.CodeSessionExpired):
		l.unsure = false // kept all the same: where that is not true, it is the only one that is good
		return nil
	case protocol.HasCode(err, protocol.CodeCloneSuspected), protocol.HasCode(err, protocol.CodeSessionRevoked):
		return l.refused(ctx, err)
	}
	return err
}

// renewalResult is the label of a renewal that failed: the broker's code, or why
// there was none.
func renewalResult(err error) string {
	var p *protocol.Problem
	switch {
	case errors.As(err, &p):
		return p.Code
	case errors.Is(err, protocol.ErrUnreachable):
		return protocol.CodeUnreachable
	}
	return "error"
}
