package broker

import (
	"context"
	"errors"
	"strconv"
)

// How far the wall clock may move between two observations, in seconds. After a larger jump, in
// either direction, no session lapses until a person accepts the clock: a broker without a battery
// clock must not end the sessions of a fleet because it started in another year. A broker that
// was off or asleep for some days is within the limit, since sessions that are renewed daily
// survive that.
const (
	maxPause     = 14 * 24 * 3600
	maxClockBack = 24 * 3600
)

func jumped(step int64) bool { return step > maxPause || step < -maxClockBack }

// observeClock records the time and stops lapsing if the clock jumped. While lapsing is stopped,
// every step of more than a day counts, so that a clock that returns is right again.
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

// clockMoved records how far the clock is now from where it was before it jumped.
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

// clockHeld reports whether lapsing is stopped. It checks for a jump itself, so that it is right
// for the first request after one.
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
