package owner

import (
	"context"
	"errors"
	"fmt"

	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/secret"
	"github.com/agentkeys/agentkeys/internal/session"
)

// moves reports whether the person named another broker than the session remembers.
func (o *Owner) moves() bool {
	return session.BrokerURL(o.cfg.BrokerURL, o.sess.Broker) != o.sess.Broker
}

// move moves the account to the broker that was named. Nothing is changed on this machine before
// that broker has shown that it knows the account, by the token or by the owner's signing key. A
// broker that was restored from a copy is then updated, as by any other command.
func (o *Owner) move(ctx context.Context) (Opened, error) {
	from, to := o.sess.Broker, session.BrokerURL(o.cfg.BrokerURL, o.sess.Broker)
	o.moveTo = to
	if err := o.openThere(ctx); err != nil {
		return Opened{}, fmt.Errorf("move the account to %s: %w", to, err)
	}
	o.moveTo = ""
	err := o.call(ctx, func(token secret.String) error {
		_, err := o.broker.Session(ctx, token)
		return err
	})
	if err != nil {
		return Opened{}, fmt.Errorf("the account was moved to %s, and then: %w", to, err)
	}
	return Opened{Who: o.Who(), MovedFrom: from}, nil
}

// openThere opens the account at the other broker and saves it.
func (o *Owner) openThere(ctx context.Context) error {
	if !o.sess.Next.IsZero() && o.useNext(ctx) == nil {
		return nil
	}
	info, err := o.ask(ctx, o.sess.Token)
	var p *protocol.Problem
	switch {
	case err == nil:
		return o.saveOpen(ctx, o.sess, info)
	case !errors.As(err, &p) || p.Challenge == "":
		return err
	case p.Code != protocol.CodeTokenUnknown:
		return o.resume(ctx, p.Challenge) // that broker has known a token of this account
	}
	if err := o.introduce(ctx, p.Challenge); err != nil {
		return err
	}
	if info, err = o.ask(ctx, o.sess.Token); err != nil {
		return err
	}
	return o.saveOpen(ctx, o.sess, info)
}

// introduce registers the current token, which is stored already, at a broker that has not seen
// it because its copy is older than the token. ErrUnknownAccount: it has no copy of this account.
func (o *Owner) introduce(ctx context.Context, challenge string) error {
	hash := session.TokenHash(o.sess.Token)
	proof, err := session.Prove(o.sess.SigningSeed, session.ResumeText(o.sess.Wallet, hash, challenge))
	if err != nil {
		return err
	}
	_, err = o.broker.Resume(ctx, protocol.Resume{Wallet: o.sess.Wallet, NextSHA256: hash, Challenge: challenge, Proof: proof})
	if protocol.HasCode(err, protocol.CodeTokenUnknown) {
		return ErrUnknownAccount
	}
	return err
}
