package owner

import (
	"context"
	"time"

	"github.com/agentkeys/agentkeys/internal/scope"
	"github.com/agentkeys/agentkeys/internal/seal"
	"github.com/agentkeys/agentkeys/internal/wallet"
)

// Manifest is the owner's current manifest of w, checked.
func (o *Owner) Manifest(ctx context.Context, w wallet.Wallet) (seal.Manifest, error) {
	cur, err := o.manifest(ctx, w)
	return cur.manifest, err
}

// ScopeChange makes a new scope from the old one. After an error nothing is changed.
type ScopeChange func(old scope.Scope) (scope.Scope, error)

// SetScope changes what an agent may have. Every record that comes into its scope or leaves it is
// sealed again, so that the ciphertext agrees with the list. The owner's own wallet always has
// everything and is no agent: ErrNotFound.
func (o *Owner) SetScope(ctx context.Context, identity string, next ScopeChange) (seal.Manifest, error) {
	w, err := o.Resolve(ctx, identity)
	if err != nil {
		return seal.Manifest{}, err
	}
	if w == o.sess.Wallet {
		return seal.Manifest{}, notFound("agent %s", w.String())
	}
	return o.change(ctx, w, func(d *draft) error {
		old := d.m.Scope
		if d.m.Scope, err = next(old); err != nil {
			return err
		}
		if d.m.Scope.Equal(old) {
			return errUnchanged
		}
		for _, entry := range d.m.Records {
			if old.Allows(entry.Service) == d.m.Scope.Allows(entry.Service) {
				continue
			}
			if err := d.reseal(ctx, entry); err != nil {
				return err
			}
		}
		return nil
	})
}

// SetOfflineTTL changes how long an agent may serve without its broker, in whole seconds
// from 0 (never) to seal.MaxOfflineTTL. The owner's own wallet has no daemon: ErrNotFound.
func (o *Owner) SetOfflineTTL(ctx context.Context, identity string, ttl time.Duration) (seal.Manifest, error) {
	w, err := o.Resolve(ctx, identity)
	if err != nil {
		return seal.Manifest{}, err
	}
	if w == o.sess.Wallet {
		return seal.Manifest{}, notFound("agent %s", w.String())
	}
	seconds := int64(ttl / time.Second)
	return o.change(ctx, w, func(d *draft) error {
		if d.m.OfflineTTL == seconds {
			return errUnchanged
		}
		d.m.OfflineTTL = seconds
		return nil
	})
}

// ReplaceScope makes the scope exactly s.
func ReplaceScope(s scope.Scope) ScopeChange {
	return func(scope.Scope) (scope.Scope, error) { return s, nil }
}

// WidenScope adds s. To `all` nothing can be added.
func WidenScope(s scope.Scope) ScopeChange {
	return func(old scope.Scope) (scope.Scope, error) {
		if old.IsAll() || s.IsAll() {
			return scope.All(), nil
		}
		return scope.Of(append(old.Services(), s.Services()...)...)
	}
}

// NarrowScope removes s. Removing a service from `all` is ErrAll, because the result would depend
// on what the wallet holds at this moment; the person says what shall stay.
func NarrowScope(s scope.Scope) ScopeChange {
	return func(old scope.Scope) (scope.Scope, error) {
		if s.IsAll() {
			return scope.None(), nil
		}
		if old.IsAll() {
			return scope.Scope{}, ErrAll
		}
		var kept []string
		for _, service := range old.Services() {
			if !s.Allows(service) {
				kept = append(kept, service)
			}
		}
		return scope.Of(kept...)
	}
}
