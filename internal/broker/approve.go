package broker

import (
	"bytes"
	"context"
	"errors"

	"github.com/agentkeys/agentkeys/internal/pairing"
	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/seal"
	"github.com/agentkeys/agentkeys/internal/strictjson"
	"github.com/agentkeys/agentkeys/internal/wallet"
)

// ApprovePairing stores what an owner grants: agent, session, manifest and records, in one
// transaction. A recovery ends the old session in the same transaction. A repetition of the same
// approval gets the same answer; any other is already_consumed.
func (b *Broker) ApprovePairing(ctx context.Context, c Credentials, body protocol.ApprovePairing) (protocol.PairingEntry, error) {
	if !hashPattern.MatchString(body.TokenSHA256) || len(body.GrantMAC) != macSize {
		return protocol.PairingEntry{}, badRequest("token_sha256 or grant_mac is malformed")
	}
	var out protocol.PairingEntry
	var w wallet.Wallet
	err := b.lookUp(ctx, c, body.Lookup, body.TokenSHA256, func(tx Tx, who principal, p Pairing) error {
		if p.State == PairingApproved {
			if !sameApproval(p, who, body) {
				return consumed()
			}
		} else if err := b.approve(tx, who, &p, body); err != nil {
			return err
		}
		w = p.Wallet
		var err error
		out, err = b.entry(tx, p)
		return err
	})
	if err == nil {
		b.wake.Changed(pairingName(body.TokenSHA256), w.String())
	}
	return out, err
}

func sameApproval(p Pairing, who principal, body protocol.ApprovePairing) bool {
	return p.Account == who.Account && bytes.Equal(p.Grant, body.Grant) && bytes.Equal(p.GrantMAC, body.GrantMAC) &&
		bytes.Equal(p.Manifest, body.Manifest.Manifest) && bytes.Equal(p.Signature, body.Manifest.Signature)
}

func (b *Broker) approve(tx Tx, who principal, p *Pairing, body protocol.ApprovePairing) error {
	if p.State == PairingExpired || p.ExpiresAt == 0 {
		return pairingExpired()
	}
	request, err := pairing.ParseRequest(p.Request)
	if err != nil {
		return err
	}
	owner, err := tx.Account(who.Account)
	if err != nil {
		return err
	}
	grant, m, err := checkGrant(owner, p.Request, body)
	if err != nil {
		return err
	}
	if m.DeviceKey != request.DeviceKey || m.DeviceSignKey != request.DeviceSignKey {
		return badRequest("the manifest is for another device")
	}
	if err := b.admit(tx, request, owner, m); err != nil {
		return err
	}
	if err := b.install(tx, owner.Wallet, m, body.Manifest, body.Records); err != nil {
		return err
	}
	if err := b.startSession(tx, *p, request, m); err != nil {
		return err
	}
	p.State, p.Account, p.Wallet, p.DecidedAt = PairingApproved, who.Account, grant.Wallet, b.unix()
	p.Grant, p.GrantMAC = body.Grant, body.GrantMAC
	p.Manifest, p.Signature = body.Manifest.Manifest, body.Manifest.Signature
	if err := tx.SetPairing(*p); err != nil {
		return err
	}
	if p.FoundBy.IsZero() {
		if err := b.noteFound(tx, who, p); err != nil {
			return err
		}
	}
	action := protocol.ActionPairingApproved
	if request.Kind == pairing.KindRecover {
		action = protocol.ActionRecovered
	}
	return b.record(tx, who.Account, protocol.AuditRow{Agent: m.Wallet, Action: action, Detail: describe(*p) + " scope=" + m.Scope.String()})
}

// checkGrant reads grant and manifest and compares them with the account's keys. The broker cannot
// check the grant's MAC, because it never learns the code.
func checkGrant(owner Account, request []byte, body protocol.ApprovePairing) (pairing.Grant, seal.Manifest, error) {
	var g pairing.Grant
	if err := strictjson.Decode(body.Grant, &g); err != nil {
		return g, seal.Manifest{}, badRequest("the grant is malformed")
	}
	switch {
	case g.V != 1 || g.Wallet.IsZero() || g.ManifestRevision == 0:
		return g, seal.Manifest{}, badRequest("the grant is malformed")
	case g.RequestSHA256 != pairing.RequestHash(request):
		return g, seal.Manifest{}, badRequest("the grant is for another request")
	case g.Owner != owner.Wallet || g.OwnerSignKey != owner.SigningKey || g.OwnerRecipient != owner.Recipient:
		return g, seal.Manifest{}, badRequest("the grant names another owner")
	}
	m, err := openManifest(owner, g.Wallet, body.Manifest)
	if err != nil {
		return g, m, err
	}
	if g.ManifestRevision != m.Revision {
		return g, m, badRequest("the grant names another revision")
	}
	return g, m, nil
}

// admit decides whether the wallet may be approved. For a recovery it ends the old session.
func (b *Broker) admit(tx Tx, request pairing.Request, owner Account, m seal.Manifest) error {
	if m.Wallet == owner.Wallet {
		return badRequest("an owner's wallet is no agent")
	}
	now := b.unix()
	if request.Kind == pairing.KindPair {
		err := tx.AddAgent(Agent{
			Account: owner.Wallet, Wallet: m.Wallet, Role: RoleAgent, CreatedAt: now,
			Machine: request.Machine, Host: request.Host,
		})
		if errors.Is(err, ErrTaken) {
			return conflict("the wallet is known already")
		}
		return err
	}
	a, err := tx.Agent(owner.Wallet, m.Wallet)
	if errors.Is(err, ErrNone) || (err == nil && a.TornDownAt != 0) {
		return notFound("no such agent")
	}
	if err != nil {
		return err
	}
	a.Machine, a.Host = request.Machine, request.Host
	if err := tx.SetAgent(a); err != nil {
		return err
	}
	old, err := b.live(tx, owner.Wallet, m.Wallet)
	if errors.Is(err, ErrNone) {
		return nil
	}
	if err != nil {
		return err
	}
	_, err = b.end(tx, old)
	return err
}

func (b *Broker) startSession(tx Tx, p Pairing, request pairing.Request, m seal.Manifest) error {
	now := b.unix()
	s := Session{
		Account: m.Owner, Wallet: m.Wallet, Role: RoleAgent, State: StateActive, DeviceSignKey: request.DeviceSignKey,
		CreatedAt: now, RenewedAt: now, ExpiresAt: now + sessionLife, SeenEpoch: b.epoch, Address: p.Address,
	}
	var err error
	if s.ID, err = tx.AddSession(s); err != nil {
		return err
	}
	return tx.SetToken(wallet.Wallet{}, Token{
		Hash: p.TokenSHA256, Kind: TokenCurrent, Account: m.Owner, Wallet: m.Wallet, Session: s.ID,
	})
}
