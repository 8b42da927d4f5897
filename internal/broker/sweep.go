package broker

import (
	"context"
	"errors"
	"time"
)

// Sweep does once what depends on time: it checks the clock, lets pairings and sessions expire, and
// removes what is no longer needed.
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
			if _, err := b.expire(tx, s); err != nil {
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
		b.disk.recovered() // observeClock wrote
		b.wake.Changed(changed...)
		err = b.writeHeld(ctx, false)
	}
	return err
}

// How often Run sweeps. A sweep always writes, so it also tests whether that is possible.
const (
	sweepEvery    = time.Minute
	writableEvery = 10 * time.Second // while nothing can be written
	stopWithin    = 3 * time.Second
)

// Run sweeps until ctx is done.
func (b *Broker) Run(ctx context.Context) {
	timer := time.NewTimer(sweepEvery)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			b.atStop(ctx)
			return
		case <-b.disk.fell:
			timer.Reset(writableEvery)
			continue
		case <-timer.C:
		}
		err := b.Sweep(ctx)
		if u := (*Unwritable)(nil); err != nil && ctx.Err() == nil && !errors.As(err, &u) {
			b.log.Error("sweep", "error", err)
		}
		if timer.Reset(sweepEvery); b.disk.failed() {
			timer.Reset(writableEvery)
		}
	}
}

// atStop writes the rows that the budget held back, since they would be lost otherwise.
func (b *Broker) atStop(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopWithin)
	defer cancel()
	if err := b.writeHeld(ctx, true); err != nil {
		b.log.Error("audit rows not written", "error", err)
	}
}
