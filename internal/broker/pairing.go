package broker

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/agentkeys/agentkeys/internal/pairing"
	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/wallet"
)

const (
	pollInterval = 2  // seconds between polls that do not wait
	maxResumed   = 10 // times that the lifetime of one code starts again
	macSize      = 32
	maxRequest   = 8 << 10 // bytes: keys and texts of a request are about 2.5 KiB
)

func pairingName(tokenSHA256 string) string { return "pairing " + tokenSHA256 }

// OpenPairing opens a board's request. A repetition starts the lifetime of its code again, ten
// times at most, so that a board that lost power can continue with the code that it shows.
func (b *Broker) OpenPairing(ctx context.Context, c Credentials, body protocol.OpenPairing) (protocol.PairingOpened, error) {
	request, err := checkOpening(body)
	if err != nil {
		return protocol.PairingOpened{}, err
	}
	if !c.admitted {
		if c, err = b.AdmitOpening(c); err != nil {
			return protocol.PairingOpened{}, err
		}
	}
	var out protocol.PairingOpened
	err = b.store.Update(ctx, func(tx Tx) error {
		if err := b.expirePairings(tx); err != nil {
			return err
		}
		known, err := tx.Pairing(body.TokenSHA256)
		if errors.Is(err, ErrNone) {
			known, err = b.addPairing(tx, c, body, request)
		} else if err == nil {
			known, err = b.reopenPairing(tx, known, body)
		}
		out = b.opened(known)
		return err
	})
	return out, err
}

func checkOpening(body protocol.OpenPairing) (pairing.Request, error) {
	if pairing.CheckLookup(body.Lookup) != nil {
		return pairing.Request{}, badRequest("lookup is not 3 characters of a pair code")
	}
	if len(body.MAC) != macSize {
		return pairing.Request{}, badRequest("mac is not 32 bytes")
	}
	if len(body.Request) > maxRequest {
		return pairing.Request{}, badRequest("the request is too long")
	}
	request, err := pairing.ParseRequest(body.Request)
	if err != nil {
		return pairing.Request{}, badRequest("the request is malformed")
	}
	if request.TokenSHA256 != body.TokenSHA256 {
		return pairing.Request{}, badRequest("token_sha256 is not the request's")
	}
	return request, nil
}

func (b *Broker) opened(p Pairing) protocol.PairingOpened {
	return protocol.PairingOpened{ExpiresIn: int(max(p.ExpiresAt-b.unix(), 0)), Interval: pollInterval}
}

func (b *Broker) addPairing(tx Tx, c Credentials, body protocol.OpenPairing, request pairing.Request) (Pairing, error) {
	if err := b.makeRoom(tx); err != nil {
		return Pairing{}, err
	}
	now := b.unix()
	p := Pairing{
		TokenSHA256: body.TokenSHA256, Lookup: body.Lookup, Request: body.Request, MAC: body.MAC,
		State: PairingOpen, Address: c.Address, OpenedAt: now, ExpiresAt: now + protocol.PairingLife,
	}
	if w, err := wallet.Parse(request.Identity); err == nil {
		p.Wants = w
	}
	err := tx.AddToken(Token{Hash: p.TokenSHA256, Kind: TokenPairing})
	if err == nil {
		err = tx.AddPairing(p)
	}
	if errors.Is(err, ErrTaken) {
		return p, conflict("draw another code")
	}
	return p, err
}

// makeRoom keeps strangers from filling the table of open pairings: if it is full, the busiest
// network loses its oldest request that no owner looked up. If that board still waits, it is told
// that its token is unknown, and sends its request again by itself.
func (b *Broker) makeRoom(tx Tx) error {
	n, err := tx.CountLivePairings()
	if err != nil || n < maxLivePairings {
		return err
	}
	unseen, err := tx.UnseenPairings()
	if err != nil {
		return err
	}
	if len(unseen) == 0 {
		return slowDown("too many open pairings", 60)
	}
	places := make([]Place, len(unseen))
	for i, p := range unseen {
		places[i] = PlaceOf(p.Address)
	}
	return tx.DropPairing(unseen[Busiest(places)].TokenSHA256)
}

func (b *Broker) reopenPairing(tx Tx, known Pairing, body protocol.OpenPairing) (Pairing, error) {
	if known.Lookup != body.Lookup || !bytes.Equal(known.Request, body.Request) || !bytes.Equal(known.MAC, body.MAC) {
		return known, conflict("another request with this token hash is known")
	}
	if known.State == PairingApproved || known.State == PairingDenied || known.Resumed >= maxResumed {
		return known, nil
	}
	known.State, known.ExpiresAt = PairingOpen, b.unix()+protocol.PairingLife
	known.Resumed++
	err := tx.SetPairing(known)
	if errors.Is(err, ErrTaken) {
		return known, conflict("draw another code")
	}
	return known, err
}

// PollPairing waits until the owner decides. nil, nil: there is no decision yet.
func (b *Broker) PollPairing(ctx context.Context, c Credentials, wait time.Duration) (*protocol.Granted, protocol.PairingOpened, error) {
	var out *protocol.Granted
	var open protocol.PairingOpened
	_, err := b.poll(ctx, pairingName(c.TokenSHA256), wait, func() (bool, error) {
		var p Pairing
		var refusal *protocol.Problem
		err := b.store.Update(ctx, func(tx Tx) error {
			var err error
			p, refusal, err = b.ownPairing(tx, c)
			return err
		})
		if err != nil {
			return false, err
		}
		if refusal != nil {
			return false, refusal
		}
		open = b.opened(p)
		if p.State != PairingApproved {
			return false, nil
		}
		out = &protocol.Granted{Grant: p.Grant, GrantMAC: p.GrantMAC, Manifest: protocol.SignedManifest{Manifest: p.Manifest, Signature: p.Signature}}
		return true, nil
	})
	return out, open, err
}

// ownPairing returns a refusal together with a nil error if the changes must be committed.
func (b *Broker) ownPairing(tx Tx, c Credentials) (Pairing, *protocol.Problem, error) {
	if err := b.expirePairings(tx); err != nil {
		return Pairing{}, nil, err
	}
	t, err := tx.Token(c.TokenSHA256)
	if errors.Is(err, ErrNone) {
		return Pairing{}, b.unknownToken(wallet.Wallet{}), nil
	}
	if err != nil {
		return Pairing{}, nil, err
	}
	p, err := tx.Pairing(c.TokenSHA256)
	if errors.Is(err, ErrNone) {
		return p, notFound("this token did not come by a pairing"), nil
	}
	if err != nil {
		return p, nil, err
	}
	if t.Session != 0 {
		s, err := tx.Session(t.Account, t.Session)
		if err != nil {
			return p, nil, err
		}
		if s, err = b.expire(tx, s); err != nil {
			return p, nil, err
		}
		if s.State == StateEnded || t.Kind == TokenRetired {
			return p, b.refusalFor(s, t), nil
		}
	}
	switch p.State {
	case PairingExpired:
		return p, pairingExpired(), nil
	case PairingDenied:
		refusal := refuse(http.StatusForbidden, protocol.CodePairingDenied, "the owner said no")
		refusal.DenyMAC = encode(p.DenyMAC)
		return p, refusal, nil
	}
	return p, nil, nil
}

func pairingExpired() *protocol.Problem {
	return refuse(http.StatusGone, protocol.CodePairingExpired, "this code is older than its life; pair again")
}

// expirePairings ends every pairing whose time is over, with a row in the trail of the account that
// looked it up.
func (b *Broker) expirePairings(tx Tx) error {
	overdue, err := tx.OverduePairings(b.unix())
	if err != nil {
		return err
	}
	for _, p := range overdue {
		wasOpen := p.State == PairingOpen
		p.State = PairingExpired
		if !wasOpen {
			p.State = PairingDenied
			p.ExpiresAt = 0 // the denial is final: there is no approval after the lifetime
		}
		if err := tx.SetPairing(p); err != nil {
			return err
		}
		if !wasOpen || p.FoundBy.IsZero() {
			continue
		}
		row := protocol.AuditRow{Action: protocol.ActionPairingExpired, Result: resultDenied, Detail: describe(p)}
		if err := b.record(tx, p.FoundBy, row); err != nil {
			return err
		}
	}
	return nil
}

// endPairings ends the open requests to recover w, so that the board has to ask again.
func (b *Broker) endPairings(tx Tx, w wallet.Wallet) error {
	open, err := tx.LivePairings(w)
	if err != nil {
		return err
	}
	for _, p := range open {
		p.State = PairingExpired
		if err := tx.SetPairing(p); err != nil {
			return err
		}
	}
	return nil
}

// describe is the text of a pairing in the audit trail: what the board said of itself, and its
// address as the broker saw it.
func describe(p Pairing) string {
	r, err := pairing.ParseRequest(p.Request)
	if err != nil {
		return "from " + p.Address
	}
	text := r.Kind + " from " + p.Address + " host=" + r.Host
	if r.Alias != "" {
		text += " alias=" + r.Alias
	}
	if r.Identity != "" {
		text += " identity=" + r.Identity
	}
	return text
}
