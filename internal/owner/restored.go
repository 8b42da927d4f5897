package owner

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/scope"
	"github.com/agentkeys/agentkeys/internal/seal"
	"github.com/agentkeys/agentkeys/internal/secret"
	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/wallet"
)

// Reopened says what was done for an account whose broker was restored from a copy. What the copy
// does not contain is lost at the broker; this machine's journal (manifests.json) knows it.
type Reopened struct {
	Revoked []wallet.Wallet           // revoked again, or revoked because another device replaced them since
	Gone    []wallet.Wallet           // torn down again
	Signed  []wallet.Wallet           // the owner's last manifest was signed again
	Missing []wallet.Wallet           // agents that the broker does not know any more: pair them again
	Lost    []protocol.CredentialInfo // credentials that it does not have any more: store them again
	LostOf  []wallet.Wallet           // their wallets, one for each of Lost
	Unnamed []wallet.Wallet           // agents whose names belong to others in the copy: link them again
}

// inNewEpoch reports whether the broker's epoch differs from the one in which the account was
// last open.
func (o *Owner) inNewEpoch(ctx context.Context) bool {
	info, err := o.broker.Info(ctx)
	if err != nil || o.known.Epoch == "" || info.Epoch == o.known.Epoch {
		return false
	}
	o.acknowledge(info.Epoch)
	return true
}

// catchUp tells the broker what this machine knows in addition, where another machine of this
// owner, which may know less, opened the account first. A failure is left to the next command,
// because the request itself succeeded.
func (o *Owner) catchUp(ctx context.Context) {
	now := o.broker.SeenEpoch()
	if o.opening || o.known.Epoch == "" || now == "" || now == o.known.Epoch {
		return
	}
	if err := o.openAgain(ctx); err != nil {
		o.cfg.Log.Warn("a restored broker is not in order yet", "error", err)
	}
}

// acknowledge makes every later request say that this owner knows of the epoch. The next call
// opens the account in it.
func (o *Owner) acknowledge(epoch string) {
	o.closed = true
	o.broker.SetEpoch(epoch)
}

// noteEpoch writes down the first epoch in which the broker answered as for an open account. A
// later epoch is handled by catchUp.
func (o *Owner) noteEpoch() {
	now := o.broker.SeenEpoch()
	if o.closed || o.opening || o.known.Epoch != "" || now == "" {
		return
	}
	if err := o.note(func(k *known) { k.Epoch = now }); err != nil {
		o.cfg.Log.Warn("the broker's epoch is not kept", "error", err)
	}
}

// openAgain tells a restored broker what this machine knows in addition, and opens the account in
// its epoch: first revocations, then manifests above the highest revision that was seen, and only
// then the agents are admitted. It may be repeated after a failure at any point.
func (o *Owner) openAgain(ctx context.Context) error {
	o.opening = true
	defer func() { o.opening = false }()
	info, err := o.broker.Info(ctx)
	if err != nil {
		return fmt.Errorf("open the account again: %w", err)
	}
	o.broker.SetEpoch(info.Epoch)
	var done Reopened
	if err := o.updateBroker(ctx, &done); err != nil {
		return fmt.Errorf("put the restored broker in order: %w", err)
	}
	err = o.call(ctx, func(token secret.String) error {
		proof, err := session.Prove(o.sess.SigningSeed, session.OpenText(o.sess.Wallet, info.Epoch, session.TokenHash(token)))
		if err != nil {
			return err
		}
		return o.broker.OpenAccount(ctx, token, protocol.OpenAccount{Epoch: info.Epoch, Proof: proof})
	})
	if err != nil {
		return fmt.Errorf("open the account again: %w", err)
	}
	o.closed = false
	if o.cfg.Reopened != nil {
		o.cfg.Reopened(done)
	}
	return o.note(func(k *known) { k.Epoch = info.Epoch })
}

// updateBroker goes through the broker's agents, then through those that only the journal
// knows, then updates the owner's own wallet.
func (o *Owner) updateBroker(ctx context.Context, done *Reopened) error {
	var list []wallet.Wallet
	err := o.eachAgent(ctx, func(a protocol.Agent) error {
		list = append(list, a.Wallet)
		return nil
	})
	if err != nil {
		return err
	}
	there := map[string]bool{o.sess.Wallet.String(): true}
	for _, w := range list {
		there[w.String()] = true
		if err := o.repeatEnding(ctx, w, done); err != nil {
			return err
		}
		if o.seen(w).TornDown {
			continue
		}
		if err := o.repeatManifest(ctx, w, done); err != nil {
			return err
		}
	}
	for text, kw := range o.known.Wallets {
		if there[text] || kw.TornDown {
			continue
		}
		w, err := wallet.Parse(text)
		if err != nil {
			return err
		}
		done.Missing = append(done.Missing, w)
	}
	slices.SortFunc(done.Missing, func(a, b wallet.Wallet) int { return strings.Compare(a.String(), b.String()) })
	return o.repeatManifest(ctx, o.sess.Wallet, done)
}

// repeatEnding revokes or tears down again what this owner ended. A device that the owner's last
// manifest does not name any more was replaced by another device since.
func (o *Owner) repeatEnding(ctx context.Context, w wallet.Wallet, done *Reopened) error {
	if o.seen(w).TornDown {
		done.Gone = append(done.Gone, w)
		return o.endAgent(ctx, w, "tear down", o.broker.Teardown)
	}
	if o.seen(w).Revoked {
		done.Revoked = append(done.Revoked, w)
		return o.endAgent(ctx, w, "revoke", o.broker.Revoke)
	}
	return nil
}

// repeatManifest signs the owner's last manifest of w again, above every revision that was seen,
// if the broker's is older. Records that the broker does not have any more are left out.
func (o *Owner) repeatManifest(ctx context.Context, w wallet.Wallet, done *Reopened) error {
	kw := o.seen(w)
	cur, err := o.signedAt(ctx, w)
	if err != nil || cur.revision >= kw.Revision {
		return err
	}
	last, known := o.lastManifest(w)
	replaced := w != o.sess.Wallet && (!known || last.DeviceKey != cur.manifest.DeviceKey)
	if replaced && !kw.Revoked {
		if err := o.cutOff(ctx, w, done); err != nil {
			return err
		}
	}
	if !known {
		last = cur.manifest // what was signed since is not known
	}
	if replaced {
		// Another device has replaced the one in this manifest. With a scope, the owner's
		// other machines would seal records to it.
		last.Scope = scope.None()
	}
	d := o.restorable(cur, last, done)
	if err := d.resealChanged(ctx, cur.manifest); err != nil {
		return err
	}
	done.Signed = append(done.Signed, w)
	_, err = o.put(ctx, d, cur.revision)
	if protocol.HasCode(err, protocol.CodeConflict) && !isRaced(err) { // its names belong to others in the copy
		done.Unnamed = append(done.Unnamed, w)
		d.m.Alias, d.m.Emails, d.m.Revision = "", []string{}, d.m.Revision-1
		_, err = o.put(ctx, d, cur.revision)
	}
	return err
}

// signedAt is manifest without the check of the revision, and without writing it down.
func (o *Owner) signedAt(ctx context.Context, w wallet.Wallet) (current, error) {
	var reply protocol.ManifestReply
	err := o.call(ctx, func(token secret.String) (err error) {
		reply, err = o.broker.Manifest(ctx, token, w)
		return err
	})
	if protocol.HasCode(err, protocol.CodeNotFound) && w == o.sess.Wallet {
		return current{manifest: o.ownManifest()}, nil
	}
	if err != nil {
		return current{}, fmt.Errorf("fetch manifest: %w", err)
	}
	m, err := o.checkSigned(w, reply.SignedManifest)
	return current{manifest: m, revision: m.Revision, highest: reply.Revisions}, err
}

// lastManifest is the newest manifest of w that this machine has seen.
func (o *Owner) lastManifest(w wallet.Wallet) (seal.Manifest, bool) {
	kept := o.seen(w).Manifest
	if kept == nil {
		return seal.Manifest{}, false
	}
	m, err := o.checkSigned(w, *kept)
	return m, err == nil && m.Revision == o.seen(w).Revision
}

// cutOff ends the session of a device that is not the one in the owner's last manifest, because
// the agent was recovered since. The new device is not in the copy and has to be recovered again.
func (o *Owner) cutOff(ctx context.Context, w wallet.Wallet, done *Reopened) error {
	if err := o.setRevoked(w, true); err != nil {
		return err
	}
	done.Revoked = append(done.Revoked, w)
	return o.endAgent(ctx, w, "revoke", o.broker.Revoke)
}

// restorable is the draft of last as far as the broker can store it: for the device that it
// knows, with the records that it still has.
func (o *Owner) restorable(cur current, last seal.Manifest, done *Reopened) *draft {
	d := &draft{owner: o, m: last, highest: cur.highest}
	d.m.DeviceKey, d.m.DeviceSignKey = cur.manifest.DeviceKey, cur.manifest.DeviceSignKey
	d.m.Revision = max(cur.revision, o.seen(last.Wallet).Revision)
	d.m.Records = []seal.Entry{}
	for _, e := range last.Records {
		if there, ok := cur.manifest.Entry(e.Service); ok && there == e {
			d.m.Records = append(d.m.Records, e)
			continue
		}
		done.Lost = append(done.Lost, protocol.CredentialInfo{Service: e.Service, Revision: e.Revision})
		done.LostOf = append(done.LostOf, last.Wallet)
	}
	return d
}

// resealChanged seals again the records that had other recipients in the manifest before.
func (d *draft) resealChanged(ctx context.Context, before seal.Manifest) error {
	for _, e := range slices.Clone(d.m.Records) {
		was := 1
		if before.Scope.Allows(e.Service) && before.DeviceKey != d.owner.recipient {
			was = 2
		}
		if len(d.recipients(e.Service)) == was {
			continue
		}
		if err := d.reseal(ctx, e); err != nil {
			return err
		}
	}
	return nil
}
