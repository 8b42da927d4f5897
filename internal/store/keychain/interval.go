package keychain

import (
	"time"

	"github.com/agentkeys/agentkeys/internal/words"
)

const (
	healthyInterval  = 2 * time.Minute
	firstInterval    = 5 * time.Second
	lastInterval     = 5 * time.Minute
	waitingInterval  = 15 * time.Second
	disabledInterval = 24 * time.Hour
	jitter           = 0.2

	// After a signal of the provider: how soon the next probe may follow the last one. A
	// provider that sends signals without end costs one probe a second.
	firstGap = 250 * time.Millisecond
	lastGap  = time.Second
)

// nextInterval is the time between two probes, before jitter. before is the interval before
// it (0 = none), changed whether the last probe differs from the one before.
func nextInterval(state words.KeychainState, before time.Duration, changed bool) time.Duration {
	switch {
	case state == words.KeychainDisabled:
		return disabledInterval
	case state.Readable():
		return healthyInterval
	case changed || before < firstInterval:
		return firstInterval
	}
	return min(2*before, lastInterval)
}

// spread applies the jitter; r is in [0,1).
func spread(interval time.Duration, r float64) time.Duration {
	return time.Duration(float64(interval) * (1 - jitter + 2*jitter*r))
}
