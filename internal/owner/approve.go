package owner

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/agentkeys/agentkeys/internal/pairing"
	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/scope"
	"github.com/agentkeys/agentkeys/internal/seal"
	"github.com/agentkeys/agentkeys/internal/secret"
	"github.com/agentkeys/agentkeys/internal/wallet"
)

// Proposal is a pairing request whose MAC was made with the typed code.
type Proposal struct {
	Request pairing.Request
	Wallet  wallet.Wallet // recover: the agent, by this owner's manifests; pair: zero
	Current seal.Manifest // recover: the current manifest of Wallet
	Age     time.Duration
	Address string // as the broker says

	lookup string
	raw    []byte
	key    pairing.Key
	cur    current
}

// Find fetches the request that a code belongs to. Only the code's first three characters leave
// this machine. ErrNoBoard: there is no such request. pairing.ErrForged: the request was not made
// with this code, so the broker or the code is wrong.
func (o *Owner) Find(ctx context.Context, code pairing.Code) (*Proposal, error) {
	p, err := o.findRequest(ctx, code)
	if err != nil {
		return nil, err
	}
	if p.Request.Kind != pairing.KindRecover {
		return p, nil
	}
	if p.Wallet, err = o.Resolve(ctx, p.Request.Identity); err != nil {
		return nil, err
	}
	if p.cur, err = o.manifest(ctx, p.Wallet); err != nil {
		return nil, err
	}
	if p.Wallet == o.sess.Wallet {
		return nil, notFound("agent %s", p.Wallet.String())
	}
	p.Current = p.cur.manifest
	return p, nil
}

func (o *Owner) findRequest(ctx context.Context, code pairing.Code) (*Proposal, error) {
	var found protocol.FoundPairing
	err := o.call(ctx, func(token secret.String) (err error) {
		found, err = o.broker.FindPairing(ctx, token, code.Lookup())
		return err
	})
	if protocol.HasCode(err, protocol.CodeNotFound) {
		return nil, ErrNoBoard
	}
	if err != nil {
		return nil, fmt.Errorf("find pairing: %w", err)
	}
	key, err := pairing.DeriveKey(code, found.Request)
	if err != nil {
		return nil, err
	}
	if err := pairing.CheckRequest(key, found.MAC); err != nil {
		return nil, err
	}
	request, err := pairing.ParseRequest(found.Request)
	if err != nil {
		return nil, err
	}
	return &Proposal{
		Request: request, Age: time.Duration(found.AgeSeconds) * time.Second, Address: found.Address,
		lookup: code.Lookup(), raw: found.Request, key: key,
	}, nil
}

// Decision is what the owner grants. A recovery keeps its scope and its alias.
type Decision struct {
	Alias string // empty: none
	Scope scope.Scope
}

// Approve creates the agent, or gives a recovered one to its new device, in one request with the
// grant, the manifest, and every record in scope sealed to the new device key.
func (o *Owner) Approve(ctx context.Context, p *Proposal, d Decision) (seal.Manifest, error) {
	dr, err := o.draftFor(ctx, p, d)
	if err != nil {
		return seal.Manifest{}, err
	}
	signed, m, err := dr.sign()
	if err != nil {
		return seal.Manifest{}, err
	}
	grant, err := pairing.Grant{
		RequestSHA256: pairing.RequestHash(p.raw), Wallet: m.Wallet, Owner: o.sess.Wallet,
		OwnerSignKey: o.signingKey, OwnerRecipient: o.recipient, ManifestRevision: m.Revision,
	}.Encode()
	if err != nil {
		return seal.Manifest{}, fmt.Errorf("make grant: %w", err)
	}
	body := protocol.ApprovePairing{
		Lookup: p.lookup, TokenSHA256: p.Request.TokenSHA256, Grant: grant, GrantMAC: p.key.GrantMAC(grant),
		Manifest: signed, Records: dr.changed,
	}
	err = o.call(ctx, func(token secret.String) error { return o.broker.ApprovePairing(ctx, token, body) })
	if err != nil {
		return seal.Manifest{}, fmt.Errorf("approve pairing: %w", err)
	}
	if err := o.remember(believed{m, signed}); err != nil {
		return seal.Manifest{}, err
	}
	if !o.seen(m.Wallet).Revoked {
		return m, nil
	}
	return m, o.setRevoked(m.Wallet, false)
}

// draftFor is the manifest for the approval, before it is signed.
func (o *Owner) draftFor(ctx context.Context, p *Proposal, d Decision) (*draft, error) {
	if p.Request.Kind == pairing.KindRecover {
		return o.recoveryDraft(ctx, p)
	}
	if err := (Link{Alias: d.Alias}).check(); err != nil {
		return nil, err
	}
	w := wallet.New()
	if err := o.checkFree(ctx, w, d.Alias); err != nil {
		return nil, err
	}
	return &draft{owner: o, m: seal.Manifest{
		Owner: o.sess.Wallet, Wallet: w, Alias: d.Alias, DeviceKey: p.Request.DeviceKey, DeviceSignKey: p.Request.DeviceSignKey,
		Scope: d.Scope, OfflineTTL: seal.DefaultOfflineTTL,
	}}, nil
}

// recoveryDraft opens every record in scope with the owner's key and seals it to the new device.
// The note that the old device was revoked does not apply to the new one.
func (o *Owner) recoveryDraft(ctx context.Context, p *Proposal) (*draft, error) {
	dr := &draft{owner: o, m: p.cur.manifest, highest: p.cur.highest, newDevice: true}
	dr.m.DeviceKey, dr.m.DeviceSignKey = p.Request.DeviceKey, p.Request.DeviceSignKey
	for _, entry := range slices.Clone(dr.m.Records) {
		if !dr.m.Scope.Allows(entry.Service) {
			continue
		}
		if err := dr.reseal(ctx, entry); err != nil {
			return nil, err
		}
	}
	return dr, nil
}

// Deny refuses the request, with a proof for the board that the denial was made with its code.
func (o *Owner) Deny(ctx context.Context, code pairing.Code) (*Proposal, error) {
	p, err := o.findRequest(ctx, code)
	if err != nil {
		return nil, err
	}
	body := protocol.DenyPairing{Lookup: p.lookup, TokenSHA256: p.Request.TokenSHA256, MAC: p.key.DenyMAC()}
	err = o.call(ctx, func(token secret.String) error { return o.broker.DenyPairing(ctx, token, body) })
	if err != nil {
		return nil, fmt.Errorf("deny pairing: %w", err)
	}
	return p, nil
}

// Pairings lists what this owner approved and denied, newest first, as the broker says.
func (o *Owner) Pairings(ctx context.Context) ([]protocol.PairingEntry, error) {
	var list []protocol.PairingEntry
	err := o.call(ctx, func(token secret.String) (err error) {
		list, err = o.broker.Pairings(ctx, token)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list pairings: %w", err)
	}
	return list, nil
}
