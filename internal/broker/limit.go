package broker

import (
	"sync"
	"time"
)

// Limits of design 3 and of good sense, each per minute.
const (
	maxWrongLookups  = 20   // per owner
	maxOpenings      = 10   // of pairings, per network
	maxOpeningsNear  = 60   // of pairings, per neighbourhood
	maxOpeningsFar   = 240  // of pairings, per region
	maxLivePairings  = 1000 // in all, not per minute
	maxResolutions   = 10   // of identities, per network: `recover` asks once
	maxResolvedNear  = 30   // of identities, per neighbourhood
	maxResolvedFar   = 100  // of identities, per region
	maxAgentRequests = 600  // per wallet
	maxWrongProofs   = 20   // per wallet
	limitSpan        = time.Minute
	leastKeysToPrune = 4096
)

// limits are counted in memory: a restart forgives.
type limits struct {
	lookups     *window
	openings    shares
	resolutions shares
	requests    *window
	proofs      *window
}

func newLimits() *limits {
	return &limits{
		lookups: newWindow(maxWrongLookups), requests: newWindow(maxAgentRequests), proofs: newWindow(maxWrongProofs),
		openings:    newShares(maxOpenings, maxOpeningsNear, maxOpeningsFar),
		resolutions: newShares(maxResolutions, maxResolvedNear, maxResolvedFar),
	}
}

// window allows so many events of one key in any span of one minute.
type window struct {
	limit   int
	mu      sync.Mutex
	times   map[string][]time.Time // oldest first
	pruneAt int                    // keys from which on those without a living event are looked for
}

func newWindow(limit int) *window {
	return &window{limit: limit, times: map[string][]time.Time{}, pruneAt: leastKeysToPrune}
}

// Full reports how many seconds key must wait; 0: it may go on.
func (w *window) Full(key string, now time.Time) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.full(key, now)
}

// Take counts one event if key may go on, and else reports as Full does.
func (w *window) Take(key string, now time.Time) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	if wait := w.full(key, now); wait > 0 {
		return wait
	}
	if len(w.times) >= w.pruneAt {
		w.prune(now)
	}
	w.times[key] = append(w.times[key], now)
	return 0
}

func (w *window) full(key string, now time.Time) int {
	kept := w.times[key]
	for len(kept) > 0 && (!now.Before(kept[0].Add(limitSpan)) || now.Before(kept[0])) {
		kept = kept[1:]
	}
	if len(kept) == 0 {
		delete(w.times, key)
		return 0
	}
	w.times[key] = kept
	if len(kept) < w.limit {
		return 0
	}
	left := kept[0].Add(limitSpan).Sub(now)
	return int((left + time.Second - 1) / time.Second)
}

// prune looks at every key. In a large fleet all of them may live, so the next time is when
// there are twice as many.
func (w *window) prune(now time.Time) {
	for key := range w.times {
		w.full(key, now)
	}
	w.pruneAt = max(leastKeysToPrune, 2*len(w.times))
}
