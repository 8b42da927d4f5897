package broker

import (
	"context"
	"errors"
	"strconv"
)

// How far the wall clock may go between two observations, in seconds. Ahead of that, or
// behind it, nothing lapses until a person accepts the clock: a broker without a battery
// must not end a fleet because it woke in another year. A broker that was off or asleep for
// some days is no such case: a session that is renewed each day lives through it.
const (
	maxPause     = 14 * 24 * 3600
	maxClockBack = 24 * 3600
)

func jumped(step int64) bool { return step > maxPause || step < -maxClockBack }

// observeClock notes the time and holds back lapsing when it jumped. While it does, every
// step of more than a day counts, so that a clock which comes back is right again.
func (b *Broker) observeClock(tx Tx) error {
	now := b.unix()
	seen, known, err := metaInt(tx, metaClockSeen)
	if err != nil {
		return err
	}
	drift, held, err := metaInt(tx, metaClockHeld)
	if err != nil {
		return err
	}
	if step := now - seen; known && (jumped(step) || held && (step > maxClockBack || step < -maxClockBack)) {
		held, err = b.clockMoved(tx, drift+step)
		if err != nil {
			return err
		}
	}
	b.clockStopped.Store(held)
	return tx.SetMeta(metaClockSeen, strconv.FormatInt(now, 10))
}

// clockMoved notes how far the clock is now from where it was before it jumped.
func (b *Broker) clockMoved(tx Tx, drift int64) (held bool, err error) {
	if !jumped(drift) {
		b.log.Info("the clock is back where it was before it jumped", "seconds", drift)
		return false, tx.SetMeta(metaClockHeld, "")
	}
	b.log.Warn("the clock jumped: no session lapses until it is accepted", "seconds", drift, "hint", "agentkeys-broker clock --accept")
	return true, tx.SetMeta(metaClockHeld, strconv.FormatInt(drift, 10))
}

// AcceptClock lets sessions lapse by the present clock again.
func (b *Broker) AcceptClock(ctx context.Context) error {
	return b.store.Update(ctx, func(tx Tx) error {
		if err := tx.SetMeta(metaClockHeld, ""); err != nil {
			return err
		}
		return tx.SetMeta(metaClockSeen, strconv.FormatInt(b.unix(), 10))
	})
}

// clockHeld reports whether lapsing is held back. It looks for a jump itself, so that
// the first request after one already knows.
func (b *Broker) clockHeld(tx Tx) (bool, error) {
	seen, known, err := metaInt(tx, metaClockSeen)
	if err != nil {
		return false, err
	}
	if step := b.unix() - seen; known && jumped(step) {
		return true, nil
	}
	_, err = tx.Meta(metaClockHeld)
	if errors.Is(err, ErrNone) {
		return false, nil
	}
	return true, err
}

func metaInt(tx Tx, key string) (n int64, known bool, err error) {
	text, err := tx.Meta(key)
	if errors.Is(err, ErrNone) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, err
	}
	n, err = strconv.ParseInt(text, 10, 64)
	return n, true, err
}
