package enroll

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/agentkeys/agentkeys/internal/agent/longpoll"
	"github.com/agentkeys/agentkeys/internal/pairing"
	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/retry"
	"github.com/agentkeys/agentkeys/internal/session"
)

const (
	pollWait  = 25 * time.Second // of one poll, at most
	pollPause = 2 * time.Second  // after an answer that says nothing
)

// pairBackoff is how a broker that is away is asked again while a person waits.
func pairBackoff() retry.Backoff { return retry.Backoff{Min: time.Second, Max: 10 * time.Second} }

// post sends the request until the broker took it, and shows the code. The same
// bytes again are the same pairing, so a lost answer costs nothing.
func (p *pairer) post(ctx context.Context) error {
	start := time.Now()
	body := protocol.OpenPairing{
		Lookup: p.code.Lookup(), TokenSHA256: session.TokenHash(p.s.Token),
		Request: p.s.Pairing.Request, MAC: p.key.RequestMAC(),
	}
	for attempt := 0; ; attempt++ {
		_, err := p.c.Broker.OpenPairing(ctx, body)
		if err == nil {
			return p.show()
		}
		left := p.c.Patience - time.Since(start)
		if !passing(err) || left <= 0 || ctx.Err() != nil {
			return err
		}
		if attempt == 0 {
			p.c.Logger.Warn("the broker does not take the request, trying again", "seconds", int(left.Seconds()), "error", err)
		}
		retry.Pause(ctx, min(pairBackoff().After(attempt, p.c.Random(), protocol.RetryAfter(err)), left))
	}
}

// show gives the code its life: what the broker grants and how patient the board is
// are one number, counted here by the monotonic clock.
func (p *pairer) show() error {
	life := protocol.PairingLife * time.Second
	p.until = time.Now().Add(life)
	if err := p.c.ShowCode(p.code, life); err != nil {
		return fmt.Errorf("show the code: %w", err)
	}
	return nil
}

// passing reports whether an error of the broker may be gone in a moment.
func passing(err error) bool {
	if errors.Is(err, protocol.ErrCertificate) {
		return false
	}
	return errors.Is(err, protocol.ErrUnreachable) || protocol.HasCode(err, protocol.CodeSlowDown) ||
		protocol.HasCode(err, protocol.CodeUnavailable) || protocol.HasCode(err, protocol.CodeRestored) || protocol.HasCode(err, protocol.CodeReadOnly)
}

// await polls until the owner decided or the code's life is over.
func (p *pairer) await(ctx context.Context) (Paired, error) {
	polls := longpoll.Poll{Longest: pollWait}
	for attempt := 0; ; {
		left := time.Until(p.until)
		if left <= 0 {
			return Paired{}, p.expired(ctx)
		}
		asked, wait := time.Now(), min(polls.Wait(time.Now(), 0), left)
		granted, err := p.c.Broker.PollPairing(ctx, p.s.Token, wait)
		took := time.Since(asked)
		switch cut := polls.Ended(time.Now(), wait, took, err); {
		case ctx.Err() != nil:
			return Paired{}, ctx.Err() // the pending slot stays: `pair` continues it
		case cut:
			continue
		case err == nil && granted != nil && time.Now().Before(p.until):
			return p.promote(ctx, granted)
		case err == nil && took >= min(wait, pollPause):
			attempt = 0
			retry.Pause(ctx, min(polls.Gap(time.Now()), max(time.Until(p.until), 0)))
			continue
		case p.isDenied(err):
			p.discard(ctx)
			return Paired{}, &Failure{protocol.CodePairingDenied, ErrDenied}
		case protocol.HasCode(err, protocol.CodePairingExpired):
			return Paired{}, p.expired(ctx)
		case protocol.HasCode(err, protocol.CodeTokenUnknown):
			if err := p.reopen(ctx); err != nil {
				return Paired{}, err
			}
		}
		retry.Pause(ctx, min(pollPause+pairBackoff().After(attempt, p.c.Random(), protocol.RetryAfter(err)), max(time.Until(p.until), 0)))
		attempt++
	}
}

func (p *pairer) expired(ctx context.Context) error {
	p.discard(ctx)
	return &Failure{protocol.CodePairingExpired, ErrExpired}
}

// isDenied believes a denial only if it was made by who typed the code; any other
// is the broker's invention, and an approval after it still counts.
func (p *pairer) isDenied(err error) bool {
	var problem *protocol.Problem
	if !errors.As(err, &problem) || problem.Code != protocol.CodePairingDenied {
		return false
	}
	mac, err := base64.RawURLEncoding.Strict().DecodeString(problem.DenyMAC)
	return err == nil && pairing.Equal(mac, p.key.DenyMAC())
}

// reopen tells a broker that lost the request (its database was put back) about it
// again; the code on the screen stays the same.
func (p *pairer) reopen(ctx context.Context) error {
	_, err := p.c.Broker.OpenPairing(ctx, protocol.OpenPairing{
		Lookup: p.code.Lookup(), TokenSHA256: session.TokenHash(p.s.Token),
		Request: p.s.Pairing.Request, MAC: p.key.RequestMAC(),
	})
	if protocol.HasCode(err, protocol.CodeConflict) {
		p.discard(ctx)
		return failure(err)
	}
	return nil // whatever else it is, the next poll meets it too
}
