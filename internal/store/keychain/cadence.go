package keychain

import (
	"time"

	"github.com/agentkeys/agentkeys/internal/store"
)

const (
	healthyInterval  = 2 * time.Minute
	firstInterval    = 5 * time.Second
	lastInterval     = 5 * time.Minute
	waitingInterval  = 15 * time.Second
	disabledInterval = 24 * time.Hour
	jitter           = 0.2

	// After a signal: how soon the next look may follow the last one. A provider
	// that signals without end costs one look a second.
	firstGap = 250 * time.Millisecond
	lastGap  = time.Second
)

// nextStep is the time between two looks before jitter. step is the one before
// (0 = none), changed whether the last look saw something new.
func nextStep(state store.KeychainState, step time.Duration, changed bool) time.Duration {
	switch {
	case state == store.StateDisabled:
		return disabledInterval
	case state.Readable():
		return healthyInterval
	case changed || step < firstInterval:
		return firstInterval
	}
	return min(2*step, lastInterval)
}

// spread applies the jitter; r is in [0,1).
func spread(step time.Duration, r float64) time.Duration {
	return time.Duration(float64(step) * (1 - jitter + 2*jitter*r))
}
