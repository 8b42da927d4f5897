package keychain

import (
	"context"
	"sync"
	"time"
)

// Run keeps the last look fresh, listens for the provider's signals, and returns
// nil when ctx ends; nothing of it is left then. Call it once.
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

// pause returns when it is time to look again. After a poke that is gap after the
// last look; the gap of the next poke is returned.
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
		case <-k.rearm:
			timer.Stop()
		case <-k.pokes:
			timer.Stop()
			k.settle(ctx, gap)
			return min(2*gap, lastGap)
		}
	}
}

// settle waits until gap after the last look, swallows the pokes of that time and
// makes the look stale.
func (k *Keychain) settle(ctx context.Context, gap time.Duration) {
	s, _ := k.cached()
	timer := time.NewTimer(time.Until(s.ended.Add(gap)))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return
	case <-timer.C:
	}
	select {
	case <-k.pokes:
	default:
	}
	k.mu.Lock()
	k.last.valid = 0
	k.mu.Unlock()
}

// listen watches whenever a look has seen a bus. A watch that breaks is a reason to
// look; one that never stood is tried again after the next look.
func (k *Keychain) listen(ctx context.Context) {
	poke := func() { notify(k.pokes) }
	for {
		select {
		case <-ctx.Done():
			return
		case <-k.busSeen:
		}
		if k.platform.watch(ctx, poke) && ctx.Err() == nil {
			poke()
		}
	}
}
