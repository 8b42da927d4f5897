package broker

import (
	"context"
	"errors"

	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/seal"
	"github.com/agentkeys/agentkeys/internal/wallet"
)

// Resolve finds the wallet that an identity names: a wallet itself, an alias or an
// e-mail address. 409: several owners use the name; give the wallet.
func (b *Broker) Resolve(ctx context.Context, c Credentials, identity string) (protocol.Identity, error) {
	if wait := b.limits.resolutions.Take(c.Address, b.now()); wait > 0 {
		return protocol.Identity{}, slowDown("too many questions from this network", wait)
	}
	var found []wallet.Wallet
	err := b.store.View(ctx, func(tx Tx) error {
		var err error
		found, err = resolve(tx, identity)
		return err
	})
	switch {
	case err != nil:
		return protocol.Identity{}, err
	case len(found) == 0:
		return protocol.Identity{}, notFound("no such identity")
	case len(found) > 1:
		return protocol.Identity{}, conflict("several owners use this name: give the wallet")
	}
	return protocol.Identity{Wallet: found[0]}, nil
}

func resolve(tx Tx, identity string) ([]wallet.Wallet, error) {
	if w, err := wallet.Parse(identity); err == nil {
		account, err := tx.AccountOf(w)
		if errors.Is(err, ErrNone) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		a, err := tx.Agent(account, w)
		if err != nil || a.TornDownAt != 0 {
			return nil, err
		}
		return []wallet.Wallet{w}, nil
	}
	if seal.CheckAlias(identity) == nil || seal.CheckEmail(identity) == nil {
		return tx.Resolve(identity)
	}
	return nil, badRequest("an identity is a wallet, an alias or an e-mail address")
}
