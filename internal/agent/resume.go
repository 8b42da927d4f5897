package agent

import (
	"context"
	"errors"
	"time"

	"github.com/agentkeys/agentkeys/internal/health/condition"
	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/session"
)

// refused acts on the broker's word about the token in use. It returns nil only
// when the session continues as if nothing had happened; an error that is no word
// about the token comes back as it is. No answer removes a slot.
func (l *link) refused(ctx context.Context, err error) error {
	var p *protocol.Problem
	if !errors.As(err, &p) {
		return err
	}
	switch p.Code {
	case protocol.CodeCloneSuspected:
		l.contact(true)
		return errParked
	case protocol.CodeSessionRevoked, protocol.CodeTokenUnknown, protocol.CodeTokenRetired, protocol.CodeSessionExpired:
	default:
		return err
	}
	if err := l.slot.reread(ctx); err != nil {
		return err
	}
	if p.Code == protocol.CodeSessionRevoked {
		return l.end(ctx, p.Code)
	}
	if done, err := l.tryNext(ctx); done || err != nil {
		return err
	}
	return l.resume(ctx, p)
}

// end drops the plaintext and the cached records at once and remembers over
// restarts that the owner ended this session.
func (l *link) end(ctx context.Context, code string) error {
	s, _ := l.slot.snapshot()
	ended := s.EndedAt(l.slot.keeper().URL, code, time.Now().Unix())
	l.slot.end(ended)
	l.conditions.Set(condition.SessionRevoked, true, "")
	l.cache.save()
	err := l.save(ctx, func(s *session.Session) { s.Ended = ended })
	if errors.Is(err, errSlotChanged) {
		return err
	}
	return errEnded // a card that cannot be written leaves the word in memory
}

// tryNext tries a next token that may have become the current one while an answer
// was lost.
func (l *link) tryNext(ctx context.Context) (done bool, err error) {
	s, _ := l.slot.snapshot()
	if s.Next.IsZero() || !l.unsure {
		return false, nil
	}
	if err := l.resolveNext(ctx); err != nil {
		return false, err
	}
	return l.slot.bearer().Equal(s.Next), nil
}

// mayResume lets the first resume happen at once and the next ones ever more rarely:
// one that succeeds costs two writes to the card, and a broker that takes every token back
// must not wear it out.
func (l *link) mayResume() bool {
	now := time.Now()
	if now.Before(l.resumeAt) {
		return false
	}
	if now.Sub(l.resumeAt) > 24*time.Hour {
		l.resumed = 0
	}
	l.resumeAt = now.Add(resumePause << min(l.resumed, 6))
	l.resumed++
	return true
}

// resumePause is the least time between two resumes; it doubles up to an hour.
const resumePause = time.Minute

// resume proves the device and registers a token that the slot holds. A next token that is
// there already is kept, since it may be the current one. Without one, a broker that does not
// know the token in use is offered that very token, so that nothing is written for a broker
// that does not know the device either; one that calls it old or over is offered a new one.
func (l *link) resume(ctx context.Context, p *protocol.Problem) error {
	s, _ := l.slot.snapshot()
	if p.Challenge == "" || !s.CanServe() || !l.mayResume() {
		return p
	}
	if p.Code == protocol.CodeTokenUnknown && s.Next.IsZero() {
		return l.introduce(ctx, p.Challenge)
	}
	if err := l.makeNext(ctx); err != nil {
		return err
	}
	s, _ = l.slot.snapshot()
	if err := l.register(ctx, session.TokenHash(s.Next), p.Challenge); err != nil {
		l.drop = protocol.HasCode(err, protocol.CodeConflict)
		return err
	}
	return l.useNext(ctx)
}

// introduce registers the token in use at a broker that was put back from a copy of
// before it, and renews it at once: who has a copy of the token could use it until then.
func (l *link) introduce(ctx context.Context, challenge string) error {
	if err := l.register(ctx, session.TokenHash(l.slot.bearer()), challenge); err != nil {
		return err
	}
	l.renewAt = time.Now()
	return l.renew(ctx)
}

// register proves the device for the token of hash, which the slot holds.
func (l *link) register(ctx context.Context, hash, challenge string) error {
	s, _ := l.slot.snapshot()
	proof, err := session.Prove(s.DeviceSignKey, session.ResumeText(s.Wallet, hash, challenge))
	if err != nil {
		return err
	}
	body := protocol.Resume{Wallet: s.Wallet, NextSHA256: hash, Challenge: challenge, Proof: proof}
	_, err = l.broker.Resume(ctx, body)
	switch {
	case protocol.HasCode(err, protocol.CodeCloneSuspected):
		l.contact(true)
		return errParked
	case protocol.HasCode(err, protocol.CodeSessionRevoked):
		return l.end(ctx, protocol.CodeSessionRevoked)
	case protocol.HasCode(err, protocol.CodeApprovalNeeded):
		l.unsure = true // the owner's reopen registers it
		l.conditions.Set(condition.SessionExpired, true, "")
	case protocol.HasCode(err, protocol.CodeRestored):
		l.resumeAt, l.resumed = time.Time{}, max(l.resumed-1, 0) // it only waits for the owner, and cost no write
	}
	return err
}
