package broker

import (
	"context"
	"time"
)

// Sweep does once what time does: it watches the clock, lets pairings and sessions
// expire, and forgets what nobody needs any more.
func (b *Broker) Sweep(ctx context.Context) error {
	var changed []string
	err := b.store.Update(ctx, func(tx Tx) error {
		changed = nil
		if err := b.observeClock(tx); err != nil {
			return err
		}
		due, err := tx.OverduePairings(b.unix())
		if err != nil {
			return err
		}
		for _, p := range due {
			changed = append(changed, pairingName(p.TokenSHA256))
		}
		if err := b.expirePairings(tx); err != nil {
			return err
		}
		sessions, err := tx.OverdueSessions(b.unix())
		if err != nil {
			return err
		}
		for _, s := range sessions {
			if _, err := b.settle(tx, s); err != nil {
				return err
			}
			changed = append(changed, s.Wallet.String())
		}
		if err := tx.PrunePairings(b.unix() - pairingsKept); err != nil {
			return err
		}
		return tx.PruneEvents(b.unix() - eventsKept)
	})
	if err == nil {
		b.wake.Changed(changed...)
	}
	return err
}

// Run sweeps every minute until ctx is done.
func (b *Broker) Run(ctx context.Context) {
	tick := time.NewTicker(time.Minute)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if err := b.Sweep(ctx); err != nil && ctx.Err() == nil {
				b.log.Error("sweep", "error", err)
			}
		}
	}
}
