package broker

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"net/http"

	"github.com/agentkeys/agentkeys/internal/pairing"
	"github.com/agentkeys/agentkeys/internal/protocol"
)

const lookupKept = 24 * 3600 // seconds for which a used or expired code is remembered as such

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// FindPairing returns to an owner the request that a lookup names. Only the code's secret part
// shows whether it is the right one.
func (b *Broker) FindPairing(ctx context.Context, c Credentials, body protocol.FindPairing) (protocol.FoundPairing, error) {
	var out protocol.FoundPairing
	err := b.lookUp(ctx, c, body.Lookup, "", func(tx Tx, who principal, p Pairing) error {
		if p.State == PairingApproved {
			return consumed()
		}
		if p.State == PairingExpired || p.ExpiresAt == 0 {
			return pairingExpired()
		}
		if p.FoundBy.IsZero() {
			if err := b.noteFound(tx, who, &p); err != nil {
				return err
			}
		}
		now := b.unix()
		out = protocol.FoundPairing{
			TokenSHA256: p.TokenSHA256, Request: p.Request, MAC: p.MAC, Address: p.Address,
			AgeSeconds: int(max(now-p.OpenedAt, 0)), ExpiresIn: int(max(p.ExpiresAt-now, 0)),
		}
		return nil
	})
	return out, err
}

// noteFound records which account looked the pairing up, for its audit trail. It binds nothing.
func (b *Broker) noteFound(tx Tx, who principal, p *Pairing) error {
	p.FoundBy = who.Account
	if err := tx.SetPairing(*p); err != nil {
		return err
	}
	return b.record(tx, who.Account, protocol.AuditRow{Action: protocol.ActionPairingOpened, Detail: describe(*p)})
}

// lookUp runs f on the pairing of a lookup. Wrong lookups are counted; after 20 in a minute no
// lookup of that owner is answered, not even a right one.
func (b *Broker) lookUp(ctx context.Context, c Credentials, lookup, tokenSHA256 string, f func(Tx, principal, Pairing) error) error {
	if pairing.CheckLookup(lookup) != nil {
		return badRequest("lookup is not 3 characters of a pair code")
	}
	wrong := notFound("no board asked with this code")
	err := b.asOwner(ctx, c, func(tx Tx, who principal) error {
		if wait := b.limits.lookups.Full(who.Account.String(), b.now()); wait > 0 {
			return slowDown("too many wrong codes", wait)
		}
		if err := b.expirePairings(tx); err != nil {
			return err
		}
		p, err := b.pairingFor(tx, lookup, tokenSHA256)
		if errors.Is(err, ErrNone) {
			b.limits.lookups.Take(who.Account.String(), b.now())
			return wrong
		}
		if err != nil {
			return err
		}
		return f(tx, who, p)
	})
	return err
}

func (b *Broker) pairingFor(tx Tx, lookup, tokenSHA256 string) (Pairing, error) {
	if tokenSHA256 == "" {
		return tx.PairingByLookup(lookup, b.unix()-lookupKept)
	}
	p, err := tx.Pairing(tokenSHA256)
	if err == nil && p.Lookup != lookup {
		return p, ErrNone
	}
	return p, err
}

func consumed() *protocol.Problem {
	return refuse(http.StatusConflict, protocol.CodeAlreadyConsumed, "this code was used already")
}

// DenyPairing denies the pairing. The board believes it only by the MAC, so an approval after it
// is still possible. A repetition of the same denial is no error.
func (b *Broker) DenyPairing(ctx context.Context, c Credentials, body protocol.DenyPairing) (protocol.PairingEntry, error) {
	if !hashPattern.MatchString(body.TokenSHA256) || len(body.MAC) != macSize {
		return protocol.PairingEntry{}, badRequest("token_sha256 or mac is malformed")
	}
	var out protocol.PairingEntry
	err := b.lookUp(ctx, c, body.Lookup, body.TokenSHA256, func(tx Tx, who principal, p Pairing) error {
		same := p.Account == who.Account && bytes.Equal(p.DenyMAC, body.MAC)
		switch {
		case p.State == PairingApproved:
			return consumed()
		case p.State == PairingExpired || (p.ExpiresAt == 0 && !same):
			return pairingExpired()
		case p.State == PairingDenied && p.Account == who.Account && !same:
			return conflict("denied already with another proof")
		}
		if p.State == PairingOpen || !same {
			p.State, p.Account, p.DenyMAC, p.DecidedAt = PairingDenied, who.Account, body.MAC, b.unix()
			if err := tx.SetPairing(p); err != nil {
				return err
			}
			row := protocol.AuditRow{Action: protocol.ActionPairingDenied, Result: resultDenied, Detail: describe(p)}
			if err := b.record(tx, who.Account, row); err != nil {
				return err
			}
		}
		var err error
		out, err = b.entry(tx, p)
		return err
	})
	if err == nil {
		b.wake.Changed(pairingName(body.TokenSHA256))
	}
	return out, err
}

// Pairings lists what the owner approved or denied, newest first.
func (b *Broker) Pairings(ctx context.Context, c Credentials) (protocol.PairingList, error) {
	out := protocol.PairingList{Pairings: []protocol.PairingEntry{}}
	err := b.asOwner(ctx, c, func(tx Tx, who principal) error {
		list, err := tx.Pairings(who.Account)
		if err != nil {
			return err
		}
		for _, p := range list {
			e, err := b.entry(tx, p)
			if err != nil {
				return err
			}
			out.Pairings = append(out.Pairings, e)
		}
		return nil
	})
	return out, err
}

func (b *Broker) entry(tx Tx, p Pairing) (protocol.PairingEntry, error) {
	e := protocol.PairingEntry{State: p.State, Wallet: p.Wallet, Time: p.DecidedAt}
	if r, err := pairing.ParseRequest(p.Request); err == nil {
		e.Kind, e.Host, e.Alias = r.Kind, r.Host, r.Alias
	}
	if p.State != PairingApproved {
		return e, nil
	}
	t, err := tx.Token(p.TokenSHA256)
	if err != nil && !errors.Is(err, ErrNone) {
		return e, err
	}
	if errors.Is(err, ErrNone) {
		e.State = "used" // its token was removed since
		return e, nil
	}
	s, err := tx.Session(p.Account, t.Session)
	if err != nil {
		return e, err
	}
	if s, err = b.expire(tx, s); err != nil {
		return e, err
	}
	switch {
	case s.Used:
		e.State = "used"
	case s.State == StateEnded:
		e.State = PairingExpired
	}
	return e, nil
}
