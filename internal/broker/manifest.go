package broker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/scope"
	"github.com/agentkeys/agentkeys/internal/seal"
	"github.com/agentkeys/agentkeys/internal/wallet"
)

// maxSealed bounds one record's ciphertext in bytes: a value of 64 KiB as JSON, with age's header
// for two keys. 64 of them have 6 MiB and fit into an approval.
const maxSealed = 96 << 10

// openManifest checks a manifest against its owner's key and the wallet that it is for.
func openManifest(owner Account, w wallet.Wallet, signed protocol.SignedManifest) (seal.Manifest, error) {
	if _, err := seal.Parse(signed.Manifest); err != nil {
		return seal.Manifest{}, badRequest("the manifest is malformed")
	}
	m, err := seal.Open(signed, owner.SigningKey)
	switch {
	case err != nil:
		return m, denied("the manifest is not signed by the owner's key")
	case m.Owner != owner.Wallet || m.Wallet != w:
		return m, badRequest("the manifest is for another owner or wallet")
	case m.NextOwnerKey != "":
		return m, badRequest("this broker does not know a change of the owner's key")
	}
	return m, nil
}

// Manifest returns a manifest: to the owner that of any of its wallets, to an agent its own.
func (b *Broker) Manifest(ctx context.Context, c Credentials, w wallet.Wallet) (protocol.ManifestReply, error) {
	var out protocol.ManifestReply
	err := b.asReader(ctx, c, w, "", func(tx Tx, p principal, a Agent) error {
		if a.Revision == 0 {
			return notFound("no manifest yet")
		}
		out = protocol.ManifestReply{SignedManifest: signedOf(a), Revision: a.Revision}
		if p.Role != RoleOwner {
			return nil
		}
		var err error
		out.Revisions, err = tx.Revisions(p.Account, w)
		return err
	})
	return out, err
}

func signedOf(a Agent) protocol.SignedManifest {
	return protocol.SignedManifest{Manifest: a.Manifest, Signature: a.Signature}
}

// PutManifest replaces the manifest of revision ifMatch, with the records that changed, in one
// transaction. A repetition with the same manifest gets the same answer.
func (b *Broker) PutManifest(ctx context.Context, c Credentials, w wallet.Wallet, ifMatch uint64, body protocol.PutManifest) (protocol.ManifestReply, error) {
	var out protocol.ManifestReply
	err := b.asOwner(ctx, c, func(tx Tx, p principal) error {
		a, err := b.own(tx, p, w)
		if err != nil {
			return err
		}
		if a.Revision == 0 || !bytes.Equal(a.Manifest, body.Manifest.Manifest) || !bytes.Equal(a.Signature, body.Manifest.Signature) {
			if err := b.replaceManifest(tx, p, a, ifMatch, body); err != nil {
				return err
			}
		}
		if a, err = tx.Agent(p.Account, w); err != nil {
			return err
		}
		out = protocol.ManifestReply{SignedManifest: signedOf(a), Revision: a.Revision}
		out.Revisions, err = tx.Revisions(p.Account, w)
		return err
	})
	if err == nil {
		b.wake.Changed(w.String())
	}
	return out, err
}

func (b *Broker) replaceManifest(tx Tx, p principal, a Agent, ifMatch uint64, body protocol.PutManifest) error {
	if a.Revision != ifMatch {
		return refuse(http.StatusPreconditionFailed, protocol.CodeConflict, fmt.Sprintf("the manifest has revision %d", a.Revision))
	}
	owner, err := tx.Account(p.Account)
	if err != nil {
		return err
	}
	m, err := openManifest(owner, a.Wallet, body.Manifest)
	if err != nil {
		return err
	}
	if err := sameDevice(owner, a, m); err != nil {
		return err
	}
	if err := b.install(tx, p.Account, m, body.Manifest, body.Records); err != nil {
		return err
	}
	return b.record(tx, p.Account, protocol.AuditRow{Agent: a.Wallet, Action: protocol.ActionManifestChanged, Detail: changes(a, m)})
}

// sameDevice refuses a manifest with other device keys: only an approval changes them.
func sameDevice(owner Account, a Agent, m seal.Manifest) error {
	wantKey, wantSign := owner.Recipient, m.DeviceSignKey
	if a.Role == RoleAgent {
		old, err := seal.Parse(a.Manifest)
		if err != nil {
			return err
		}
		wantKey, wantSign = old.DeviceKey, old.DeviceSignKey
	}
	if m.DeviceKey != wantKey || m.DeviceSignKey != wantSign {
		return badRequest("the manifest is for another device")
	}
	return nil
}

// install stores a manifest that was opened, with its records. It refuses lower revisions, so that
// nothing old can be restored.
func (b *Broker) install(tx Tx, account wallet.Wallet, m seal.Manifest, signed protocol.SignedManifest, records []protocol.SealedRecord) error {
	a, err := tx.Agent(account, m.Wallet)
	if err != nil {
		return err
	}
	if m.Revision <= a.Revision {
		return refuse(http.StatusPreconditionFailed, protocol.CodeConflict, fmt.Sprintf("the manifest has revision %d already", a.Revision))
	}
	if err := b.installRecords(tx, account, m, records); err != nil {
		return err
	}
	a.Revision, a.Manifest, a.Signature = m.Revision, signed.Manifest, signed.Signature
	if err := tx.SetAgent(a); err != nil {
		return err
	}
	names := slices.Clone(m.Emails)
	if m.Alias != "" {
		names = append(names, m.Alias)
	}
	err = tx.SetIdentities(account, m.Wallet, names)
	if errors.Is(err, ErrTaken) {
		return conflict("the alias or an e-mail address names another agent")
	}
	return err
}

// changes names what the owner changed; never a value.
func changes(a Agent, m seal.Manifest) string {
	old, err := seal.Parse(a.Manifest)
	if err != nil {
		old = seal.Manifest{Scope: scope.None()}
	}
	text := fmt.Sprintf("revision %d", m.Revision)
	if err != nil || !old.Scope.Equal(m.Scope) {
		text += " scope=" + m.Scope.String()
	}
	if old.Alias != m.Alias {
		text += " alias=" + m.Alias
	}
	if !slices.Equal(old.Emails, m.Emails) {
		text += " emails"
	}
	for _, e := range m.Records {
		if before, ok := old.Entry(e.Service); !ok || before != e {
			text += " +" + e.Service
		}
	}
	for _, e := range old.Records {
		if _, ok := m.Entry(e.Service); !ok {
			text += " -" + e.Service
		}
	}
	return text
}
