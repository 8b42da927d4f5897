package broker

import (
	"context"
	"errors"
	"strconv"
)

// maxClockStep is how far the wall clock may move between two observations, in
// seconds. Beyond it nothing lapses until a person accepts the clock: a broker
// without a battery must not end a fleet because it woke in another year.
const maxClockStep = 24 * 3600

// observeClock notes the time and holds back lapsing when it jumped.
func (b *Broker) observeClock(tx Tx) error {
	now := b.unix()
	seen, known, err := metaInt(tx, metaClockSeen)
	if err != nil {
		return err
	}
	if step := now - seen; known && (step > maxClockStep || step < -maxClockStep) {
		b.log.Warn("the clock jumped: no session lapses until it is accepted", "seconds", step, "hint", "agentkeys-broker clock --accept")
		if err := tx.SetMeta(metaClockHeld, "1"); err != nil {
			return err
		}
	}
	return tx.SetMeta(metaClockSeen, strconv.FormatInt(now, 10))
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
	if step := b.unix() - seen; known && (step > maxClockStep || step < -maxClockStep) {
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
