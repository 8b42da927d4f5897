package keychain

import (
	"context"
	"sync"
	"time"
)

// Run keeps the last probe fresh, listens to the provider's signals, and returns nil when ctx
// ends, after everything that it started has ended. Call it once.
func (k *Keychain) Run(ctx context.Context) error {
	var listener sync.WaitGroup
	listener.Go(func() { k.listen(ctx) })
	defer listener.Wait()
	gap := firstGap
	for ctx.Err() == nil {
		before, _ := k.cached()
		k.Probe(ctx)
		after, _ := k.cached()
		if before.differs(after) {
			gap = firstGap
		}
		gap = k.pause(ctx, gap)
	}
	return nil
}

// pause returns when it is time to probe again. After a signal that is when gap has passed
// since the last probe. It returns the gap to wait after the next signal.
func (k *Keychain) pause(ctx context.Context, gap time.Duration) time.Duration {
	for {
		k.mu.Lock()
		due := k.last.until(k.waiting)
		k.mu.Unlock()
		timer := time.NewTimer(max(time.Until(due), firstGap))
		select {
		case <-ctx.Done():
			timer.Stop()
			return gap
		case <-timer.C:
			return firstGap
		case <-k.reschedule:
			timer.Stop()
		case <-k.wakeups:
			timer.Stop()
			k.debounce(ctx, gap)
			return min(2*gap, lastGap)
		}
	}
}

// debounce waits until gap has passed since the last probe, takes all signals of that time as
// one, and makes the probe stale.
func (k *Keychain) debounce(ctx context.Context, gap time.Duration) {
	s, _ := k.cached()
	timer := time.NewTimer(time.Until(s.ended.Add(gap)))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return
	case <-timer.C:
	}
	select {
	case <-k.wakeups:
	default:
	}
	k.mu.Lock()
	k.last.valid = 0
	k.mu.Unlock()
}

// listen watches the provider once a probe has found a bus. A watch that ends is a reason to
// probe; one that could not be established is tried again after the next probe.
func (k *Keychain) listen(ctx context.Context) {
	wake := func() { notify(k.wakeups) }
	for {
		select {
		case <-ctx.Done():
			return
		case <-k.busSeen:
		}
		if k.platform.watch(ctx, wake) && ctx.Err() == nil {
			wake()
		}
	}
}
