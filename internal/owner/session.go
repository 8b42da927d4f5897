package owner

import (
	"context"
	"fmt"
	"time"

	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/secret"
	"github.com/agentkeys/agentkeys/internal/session"
)

// resume gets a new token with a proof by the owner's signing key. The token is saved before it is
// registered. A *protocol.Problem means that the broker does not know this account, or ended it.
func (o *Owner) resume(ctx context.Context, challenge string) error {
	release, err := o.cfg.Slots.HoldRun(o.cfg.ID)
	if err != nil {
		return err
	}
	defer release()
	token := o.sess.Token
	if o.sess, o.info, err = o.cfg.Slots.Load(ctx, o.cfg.ID); err != nil {
		return err
	}
	if !o.sess.Token.Equal(token) {
		return nil // another command was faster
	}
	if err := o.saveNext(ctx); err != nil {
		return err
	}
	next := session.TokenHash(o.sess.Next)
	proof, err := session.Prove(o.sess.SigningSeed, session.ResumeText(o.sess.Wallet, next, challenge))
	if err != nil {
		return err
	}
	_, err = o.broker.Resume(ctx, protocol.Resume{Wallet: o.sess.Wallet, NextSHA256: next, Challenge: challenge, Proof: proof})
	if err != nil {
		return err
	}
	return o.useNext(ctx)
}

// renewIfDue finishes an interrupted renewal and renews a session that is older than a day. A
// failure is only logged, since the session is valid for 30 days. It renews only at the broker
// that the session remembers, because a broker that a command names may be the wrong one.
func (o *Owner) renewIfDue(ctx context.Context) {
	if o.moves() || o.sess.Next.IsZero() && session.RenewIn(o.sess.CreatedAt, o.cfg.Now().Unix(), 0.5) > 0 {
		return
	}
	if err := o.renew(ctx); err != nil {
		o.cfg.Log.Info("session not renewed", "error", err)
	}
}

func (o *Owner) renew(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	release, err := o.cfg.Slots.HoldRun(o.cfg.ID)
	if err != nil {
		return err
	}
	defer release()
	if o.sess, o.info, err = o.cfg.Slots.Load(ctx, o.cfg.ID); err != nil {
		return err
	}
	if !o.sess.Next.IsZero() && o.useNext(ctx) == nil {
		return nil
	}
	if session.RenewIn(o.sess.CreatedAt, o.cfg.Now().Unix(), 0.5) > 0 && o.sess.Next.IsZero() {
		return nil // another process was faster
	}
	if err := o.saveNext(ctx); err != nil {
		return err
	}
	token, next := session.TokenHash(o.sess.Token), session.TokenHash(o.sess.Next)
	proof, err := session.Prove(o.sess.SigningSeed, session.RenewText(o.sess.Wallet, token, next))
	if err != nil {
		return err
	}
	if _, err := o.broker.Renew(ctx, o.sess.Token, protocol.Renew{NextSHA256: next, Proof: proof}); err != nil {
		return err
	}
	return o.useNext(ctx)
}

// saveNext makes the next token durable before its hash is registered. A token that an interrupted
// renewal left is used again; registering it twice has no effect.
func (o *Owner) saveNext(ctx context.Context) error {
	if !o.sess.Next.IsZero() {
		return nil
	}
	s := o.sess
	s.Next = session.NewToken()
	return o.save(ctx, s)
}

// useNext makes the first request with the next token and only then saves it as the token.
func (o *Owner) useNext(ctx context.Context) error {
	info, err := o.ask(ctx, o.sess.Next)
	if err != nil {
		return err
	}
	s := o.sess
	s.Token, s.Next = s.Next, secret.String{}
	return o.saveOpen(ctx, s, info)
}

// ask asks the broker about token. An answer about another account than this owner's is refused.
func (o *Owner) ask(ctx context.Context, token secret.String) (protocol.SessionInfo, error) {
	info, err := o.broker.Session(ctx, token)
	if protocol.HasCode(err, protocol.CodeRestored) {
		if now, e := o.broker.Info(ctx); e == nil {
			o.acknowledge(now.Epoch)
			info, err = o.broker.Session(ctx, token)
		}
	}
	if err == nil && (info.Wallet != o.sess.Wallet || info.Role != "owner") {
		err = fmt.Errorf("%w: it answers for another account", protocol.ErrUnreachable)
	}
	return info, err
}

// saveOpen saves s with what the broker confirmed.
func (o *Owner) saveOpen(ctx context.Context, s session.Session, info protocol.SessionInfo) error {
	s.CreatedAt, s.TTLSeconds, s.Ended = max(info.Time, 1), int64(session.TTL/time.Second), nil
	if o.moveTo != "" {
		s.Broker = o.moveTo
	}
	if err := o.save(ctx, s); err != nil {
		return err
	}
	o.noteEpoch()
	return nil
}

// save writes the slot and only then changes memory.
func (o *Owner) save(ctx context.Context, s session.Session) error {
	info, err := o.cfg.Slots.SaveOver(ctx, o.cfg.ID, o.info.Generation, s)
	if err != nil {
		return fmt.Errorf("save %s: %w", o.cfg.ID, err)
	}
	o.sess, o.info = s, info
	return nil
}

// End ends the owner's own session at the broker and removes its token from this machine. The
// owner's keys stay, so that `init` opens the account again. With wipeKeys they are removed too,
// and only the recovery key opens it. If the broker cannot be reached, the result is an error and
// nothing is removed, because the session would stay valid without this machine.
func (o *Owner) End(ctx context.Context, wipeKeys bool) error {
	err := o.call(ctx, func(token secret.String) error { return o.broker.EndSession(ctx, token, protocol.EndSession{}) })
	over := protocol.HasCode(err, protocol.CodeSessionRevoked, protocol.CodeTokenRetired, protocol.CodeTokenUnknown, protocol.CodeSessionExpired)
	if o.moves() { // a broker that does not have the session cannot end it
		over = false
	}
	if err != nil && !over {
		return fmt.Errorf("end session: %w", err)
	}
	if wipeKeys {
		return o.cfg.Slots.Delete(ctx, o.cfg.ID)
	}
	s := o.sess
	s.Token, s.Next = session.NewToken(), secret.String{} // a placeholder that is never registered
	s.Ended = &session.Ended{Code: protocol.CodeSessionRevoked, At: o.cfg.Now().Unix()}
	return o.save(ctx, s)
}
