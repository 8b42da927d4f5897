package owner

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/scope"
	"github.com/agentkeys/agentkeys/internal/seal"
	"github.com/agentkeys/agentkeys/internal/secret"
	"github.com/agentkeys/agentkeys/internal/wallet"
)

// changeTries is how often a change is repeated on top of a change of another machine.
const changeTries = 5

func refused(w wallet.Wallet, what string) error {
	return fmt.Errorf("manifest of %s: %w: %s", w.String(), seal.ErrManifest, what)
}

// check accepts a manifest only if this owner signed it for w, and if it is not older than one
// that was seen here; otherwise seal.ErrManifest.
func (o *Owner) check(w wallet.Wallet, signed protocol.SignedManifest) (seal.Manifest, error) {
	m, err := o.checkSigned(w, signed)
	if seen := o.seen(w); err == nil && m.Revision < seen.Revision {
		return seal.Manifest{}, refused(w, fmt.Sprintf("revision %d is older than %d, which this machine has seen", m.Revision, seen.Revision))
	}
	return m, err
}

// checkSigned is check without the check of the revision.
func (o *Owner) checkSigned(w wallet.Wallet, signed protocol.SignedManifest) (seal.Manifest, error) {
	m, err := seal.Open(signed, o.signingKey)
	if err != nil {
		return seal.Manifest{}, fmt.Errorf("manifest of %s: %w", w.String(), err)
	}
	switch {
	case m.Owner != o.sess.Wallet:
		return seal.Manifest{}, refused(w, "it is of another owner")
	case m.Wallet != w:
		return seal.Manifest{}, refused(w, "it is of another agent")
	case w == o.sess.Wallet && m.DeviceKey != o.recipient:
		return seal.Manifest{}, refused(w, "it names another key")
	}
	return m, nil
}

// current is one wallet as the owner last signed it, checked.
type current struct {
	manifest seal.Manifest
	revision uint64            // 0: the owner's own wallet, for which nothing was signed yet
	highest  map[string]uint64 // the highest revision of each service, as the broker says; a lie can only raise it
}

// manifest fetches and checks the manifest of w. ErrNotFound: no such agent. If the manifest of
// the owner's own wallet was there before and is missing now, the result is seal.ErrManifest,
// because that wallet is never torn down.
func (o *Owner) manifest(ctx context.Context, w wallet.Wallet) (current, error) {
	var reply protocol.ManifestReply
	err := o.call(ctx, func(token secret.String) (err error) {
		reply, err = o.broker.Manifest(ctx, token, w)
		return err
	})
	own := w == o.sess.Wallet
	switch {
	case protocol.HasCode(err, protocol.CodeNotFound) && own && o.seen(w).Revision > 0:
		return current{}, refused(w, "the broker has none any more")
	case protocol.HasCode(err, protocol.CodeNotFound) && own:
		return current{manifest: o.ownManifest()}, nil
	case protocol.HasCode(err, protocol.CodeNotFound):
		return current{}, notFound("agent %s", w.String())
	case err != nil:
		return current{}, fmt.Errorf("fetch manifest: %w", err)
	}
	m, err := o.check(w, reply.SignedManifest)
	if err != nil {
		return current{}, err
	}
	return current{manifest: m, revision: m.Revision, highest: reply.Revisions}, o.remember(believed{m, reply.SignedManifest})
}

// ownManifest is the first manifest of the owner's own wallet, whose device is the owner.
func (o *Owner) ownManifest() seal.Manifest {
	return seal.Manifest{
		Owner: o.sess.Wallet, Wallet: o.sess.Wallet, DeviceKey: o.recipient, DeviceSignKey: o.signingKey,
		Scope: scope.All(), OfflineTTL: seal.DefaultOfflineTTL,
	}
}

// draft is a manifest that is being changed, with the records that change with it.
type draft struct {
	owner   *Owner
	m       seal.Manifest
	highest map[string]uint64
	changed []protocol.SealedRecord

	newDevice bool // an approval: the device key is not the one that was revoked
}

// recipients are the keys that may open a record of service: the owner's, and the device's if the
// service is in scope and its session was not revoked on this machine.
func (d *draft) recipients(service string) []string {
	to := []string{d.owner.recipient}
	revoked := d.owner.seen(d.m.Wallet).Revoked && !d.newDevice
	if d.m.Scope.Allows(service) && !revoked && d.m.DeviceKey != d.owner.recipient {
		to = append(to, d.m.DeviceKey)
	}
	return to
}

// next is the revision above all that the service ever had in this wallet.
func (d *draft) next(service string) uint64 {
	entry, _ := d.m.Entry(service)
	return max(entry.Revision, d.highest[service], d.owner.seen(d.m.Wallet).Records[service]) + 1
}

// put seals value as the new record of service.
func (d *draft) put(service string, value secret.String) error {
	record, err := seal.SealRecord(service, d.next(service), value, d.recipients(service)...)
	if err != nil {
		return err
	}
	d.drop(service)
	if len(d.m.Records) >= protocol.MaxRecords {
		return ErrLimit
	}
	d.m.Records = append(d.m.Records, seal.EntryOf(record))
	d.changed = append(d.changed, record)
	return nil
}

// drop removes service from the list; false: it was not there.
func (d *draft) drop(service string) bool {
	kept := make([]seal.Entry, 0, len(d.m.Records)+1)
	for _, e := range d.m.Records {
		if e.Service != service {
			kept = append(kept, e)
		}
	}
	found := len(kept) != len(d.m.Records)
	d.m.Records = kept
	return found
}

// reseal opens the record with the owner's key and seals it to those who may have it now.
func (d *draft) reseal(ctx context.Context, entry seal.Entry) error {
	value, err := d.owner.open(ctx, d.m.Wallet, entry)
	if err != nil {
		return err
	}
	return d.put(entry.Service, value)
}

// sign makes the next revision.
func (d *draft) sign() (protocol.SignedManifest, seal.Manifest, error) {
	d.m.Revision++
	signed, err := seal.Sign(d.m, d.owner.sess.SigningSeed)
	if err != nil {
		return protocol.SignedManifest{}, seal.Manifest{}, err
	}
	m, err := seal.Open(signed, d.owner.signingKey)
	return signed, m, err
}

// change signs a new manifest of w with the changes that edit makes to the current one. If
// another machine was faster (412), it repeats edit on the newer manifest. If edit returns
// errUnchanged, nothing is changed.
func (o *Owner) change(ctx context.Context, w wallet.Wallet, edit func(*draft) error) (seal.Manifest, error) {
	for try := 1; ; try++ {
		cur, err := o.manifest(ctx, w)
		if err != nil {
			return seal.Manifest{}, err
		}
		d := &draft{owner: o, m: cur.manifest, highest: cur.highest}
		if err := edit(d); errors.Is(err, errUnchanged) {
			return cur.manifest, nil
		} else if err != nil {
			return seal.Manifest{}, err
		}
		m, err := o.put(ctx, d, cur.revision)
		if !isRaced(err) || try == changeTries {
			return m, err
		}
	}
}

var errUnchanged = errors.New("nothing to change")

// isRaced reports whether err is the answer to If-Match after another machine signed a newer manifest.
func isRaced(err error) bool {
	var p *protocol.Problem
	return errors.As(err, &p) && p.Status == http.StatusPreconditionFailed
}

func (o *Owner) put(ctx context.Context, d *draft, ifMatch uint64) (seal.Manifest, error) {
	signed, m, err := d.sign()
	if err != nil {
		return seal.Manifest{}, err
	}
	body := protocol.PutManifest{Manifest: signed, Records: d.changed}
	err = o.call(ctx, func(token secret.String) error {
		_, err := o.broker.PutManifest(ctx, token, m.Wallet, ifMatch, body)
		return err
	})
	if err != nil {
		return seal.Manifest{}, fmt.Errorf("send manifest: %w", err)
	}
	return m, o.remember(believed{m, signed})
}
