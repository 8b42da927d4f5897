package broker

import (
	"sync"
	"time"
)

// Limits of requests (docs/spec/architecture.md#limits-of-requests), each for a minute.
const (
	maxWrongLookups  = 20   // per owner
	maxOpenings      = 10   // of pairings, per network
	maxOpeningsNear  = 60   // of pairings, per neighbourhood
	maxOpeningsFar   = 240  // of pairings, per region
	maxLivePairings  = 1000 // of all networks, at a time
	maxResolutions   = 10   // of identities, per network; `recover` needs one
	maxResolvedNear  = 30   // of identities, per neighbourhood
	maxResolvedFar   = 100  // of identities, per region
	maxAgentRequests = 600  // per wallet
	maxWrongProofs   = 20   // per wallet
	limitSpan        = time.Minute
	leastKeysToPrune = 4096
)

// limits are counted in memory, so a restart resets them.
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

// window allows a number of events of one key in any span of one minute.
type window struct {
	limit   int
	mu      sync.Mutex
	times   map[string][]time.Time // oldest first
	pruneAt int                    // number of keys from which on keys without a recent event are removed
}

func newWindow(limit int) *window {
	return &window{limit: limit, times: map[string][]time.Time{}, pruneAt: leastKeysToPrune}
}

// Full returns how many seconds key must wait; 0: it need not.
func (w *window) Full(key string, now time.Time) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.full(key, now)
}

// Take counts one event if key need not wait; otherwise it returns the same as Full.
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
