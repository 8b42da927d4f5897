package broker

import (
	"net/netip"
	"sync"
	"time"
)

// Limits of design 3 and of good sense, each per minute.
const (
	maxWrongLookups   = 20   // per owner
	maxOpenings       = 10   // of pairings, per network
	maxLivePairings   = 1000 // in all, not per minute
	maxResolutions    = 30   // of identities, per network
	maxAgentRequests  = 600  // per wallet
	maxWrongProofs    = 20   // per wallet
	limitSpan         = time.Minute
	limitKeysPerPrune = 4096
)

// limits are counted in memory: a restart forgives.
type limits struct {
	lookups     *window
	openings    *window
	resolutions *window
	requests    *window
	proofs      *window
}

func newLimits() *limits {
	return &limits{
		lookups: newWindow(maxWrongLookups), openings: newWindow(maxOpenings),
		resolutions: newWindow(maxResolutions), requests: newWindow(maxAgentRequests),
		proofs: newWindow(maxWrongProofs),
	}
}

// window allows so many events of one key in any span of one minute.
type window struct {
	limit int
	mu    sync.Mutex
	times map[string][]time.Time // oldest first
}

func newWindow(limit int) *window { return &window{limit: limit, times: map[string][]time.Time{}} }

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
	if len(w.times) >= limitKeysPerPrune {
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

func (w *window) prune(now time.Time) {
	for key := range w.times {
		w.full(key, now)
	}
}

// network is what an address counts as: an IPv4 address or an IPv6 /64. A text
// that is no address counts as itself (a unix socket).
func network(address string) string {
	a, err := netip.ParseAddr(address)
	if err != nil {
		return address
	}
	a = a.Unmap().WithZone("")
	if a.Is4() {
		return a.String()
	}
	p, err := a.Prefix(64)
	if err != nil {
		return address
	}
	return p.String()
}
