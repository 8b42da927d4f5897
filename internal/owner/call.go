package owner

import (
	"context"
	"errors"
	"fmt"

	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/secret"
	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/store"
)

// call runs one request with the session's token. On session_expired, and if a restored broker
// does not know the token, it resumes the session with the owner's signing key without asking.
// If the account waits for its owner after a restore, call first restores and opens it.
func (o *Owner) call(ctx context.Context, request func(token secret.String) error) error {
	if o.closed && !o.opening {
		if err := o.openAgain(ctx); err != nil {
			return err
		}
	}
	err := o.cfg.call(ctx, &o.sess, &o.info, request)
	switch p := (*protocol.Problem)(nil); {
	case err == nil:
		o.catchUp(ctx)
		return nil
	case !errors.As(err, &p):
		return err
	case p.Code == protocol.CodeRestored && !o.opening:
		if err := o.openAgain(ctx); err != nil {
			return err
		}
	case p.Challenge != "" && (p.Code == protocol.CodeSessionExpired || p.Code == protocol.CodeTokenUnknown && o.inNewEpoch(ctx)):
		back := o.resume
		if o.moves() && p.Code == protocol.CodeTokenUnknown {
			back = o.introduce // a wrong broker must not change the slot
		}
		if err := back(ctx, p.Challenge); err != nil {
			return fmt.Errorf("resume session: %w", err)
		}
		if o.closed && !o.opening {
			return o.call(ctx, request)
		}
	default:
		return err
	}
	return request(o.sess.Token)
}

// call runs one request with the token of sess, which was loaded from the slot. Another process
// may have renewed the session since, or may have stopped in the middle of a renewal. So if the
// broker refuses the token, the slot is read again and its tokens are tried, before the answer
// counts. sess and info become what was read.
func (c Config) call(ctx context.Context, sess *session.Session, info *store.Info, request func(token secret.String) error) error {
	used := sess.Token
	err := request(used)
	if !isRetired(err) {
		return err
	}
	now, at, failed := c.Slots.Load(ctx, c.ID)
	switch {
	case failed != nil:
		return fmt.Errorf("load %s again: %w", c.ID, failed)
	case now.Wallet != sess.Wallet:
		return err
	}
	*sess, *info = now, at
	for _, token := range []secret.String{now.Token, now.Next} {
		if token.IsZero() || token.Equal(used) {
			continue
		}
		if err = request(token); !isRetired(err) {
			return err
		}
	}
	return err
}

func isRetired(err error) bool {
	return protocol.HasCode(err, protocol.CodeTokenRetired, protocol.CodeTokenUnknown)
}
