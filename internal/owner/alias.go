package owner

import (
	"context"

	"github.com/agentkeys/agentkeys/internal/wallet"
)

// Alias is the alias of w in the newest manifest that this machine has seen; empty: w has none, is
// the owner's own wallet, or is not known. The broker is asked for all agents at most once, when a
// wallet comes that this machine has not seen yet.
func (o *Owner) Alias(ctx context.Context, w wallet.Wallet) string {
	if w.IsZero() || w == o.sess.Wallet {
		return ""
	}
	if m, ok := o.lastManifest(w); ok {
		return m.Alias
	}
	if o.seen(w).TornDown || o.askedAliases {
		return ""
	}
	o.askedAliases = true
	if _, err := o.Agents(ctx); err != nil {
		o.cfg.Log.Warn("aliases not read", "error", err)
	}
	m, _ := o.lastManifest(w)
	return m.Alias
}
