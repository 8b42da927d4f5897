package owner

import (
	"context"
	"errors"
	"fmt"

	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/scope"
	"github.com/agentkeys/agentkeys/internal/seal"
	"github.com/agentkeys/agentkeys/internal/secret"
	"github.com/agentkeys/agentkeys/internal/wallet"
)

// Store stores value as service in the wallet of identity (empty: the owner's own). Its device
// and the owner can open it; if it is out of scope, the owner alone.
func (o *Owner) Store(ctx context.Context, identity, service string, value secret.String) (seal.Manifest, error) {
	if err := scope.CheckService(service); err != nil {
		return seal.Manifest{}, err
	}
	w, err := o.Resolve(ctx, identity)
	if err != nil {
		return seal.Manifest{}, err
	}
	return o.change(ctx, w, func(d *draft) error { return d.put(service, value) })
}

// Remove removes service from the wallet of identity. ErrNoCredential: it is not there.
func (o *Owner) Remove(ctx context.Context, identity, service string) (seal.Manifest, error) {
	if err := scope.CheckService(service); err != nil {
		return seal.Manifest{}, err
	}
	w, err := o.Resolve(ctx, identity)
	if err != nil {
		return seal.Manifest{}, err
	}
	return o.change(ctx, w, func(d *draft) error {
		if !d.drop(service) {
			return noCredential(service)
		}
		return nil
	})
}

// open fetches the record that entry lists and opens it with the owner's key.
func (o *Owner) open(ctx context.Context, w wallet.Wallet, entry seal.Entry) (secret.String, error) {
	var record protocol.SealedRecord
	err := o.call(ctx, func(token secret.String) (err error) {
		record, err = o.broker.Record(ctx, token, w, entry.Service)
		return err
	})
	return opened(record, err, entry, o.sess.Identity)
}

// opened decides whether a record is accepted: ErrWithheld if the broker did not return the one
// that the manifest lists.
func opened(record protocol.SealedRecord, err error, entry seal.Entry, seed secret.String) (secret.String, error) {
	if protocol.HasCode(err, protocol.CodeNotFound) {
		return secret.String{}, fmt.Errorf("record %s: %w", entry.Service, ErrWithheld)
	}
	if err != nil {
		return secret.String{}, fmt.Errorf("fetch record %s: %w", entry.Service, err)
	}
	value, err := seal.OpenRecord(record, entry, seed)
	if errors.Is(err, seal.ErrRecord) {
		return secret.String{}, fmt.Errorf("%w: %w", err, ErrWithheld)
	}
	return value, err
}

// Read opens one credential of w. ErrNoCredential: the owner's manifest does not list it.
func (o *Owner) Read(ctx context.Context, w wallet.Wallet, service string) (secret.String, error) {
	if err := scope.CheckService(service); err != nil {
		return secret.String{}, err
	}
	cur, err := o.manifest(ctx, w)
	if err != nil {
		return secret.String{}, err
	}
	entry, ok := cur.manifest.Entry(service)
	if !ok {
		return secret.String{}, noCredential(service)
	}
	return o.open(ctx, w, entry)
}

// List lists the credentials of w, also those out of its scope, since the owner may have all.
func (o *Owner) List(ctx context.Context, w wallet.Wallet) ([]protocol.CredentialInfo, error) {
	cur, err := o.manifest(ctx, w)
	if err != nil {
		return nil, err
	}
	return listed(cur.manifest.Records), nil
}

func listed(entries []seal.Entry) []protocol.CredentialInfo {
	out := make([]protocol.CredentialInfo, len(entries))
	for i, e := range entries {
		out[i] = protocol.CredentialInfo{Service: e.Service, Revision: e.Revision}
	}
	return out
}
