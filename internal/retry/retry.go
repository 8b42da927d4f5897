// Package retry says how long to wait before the next try. It never sleeps.
//
// The wait has full jitter, so a fleet that lost power together, or lost its
// broker together, does not come back together.
package retry

import "time"

// The bounds of a zero Backoff, and the longest Retry-After that is obeyed: a
// proxy that says "a year" must not silence an agent for a year.
const (
	DefaultMin    = time.Second
	DefaultMax    = 5 * time.Minute
	MaxRetryAfter = time.Hour
)

// Backoff is the range of waits. Zero fields mean DefaultMin and DefaultMax.
type Backoff struct{ Min, Max time.Duration }

// After is the wait before try number attempt+1; attempt counts the failures so
// far from 0. It is spread evenly over [Min, ceiling), where the ceiling is twice
// Min after the first failure and doubles up to Max. random is in [0,1).
// A retryAfter above 0 is what the server asked for: the wait is that at least
// (up to MaxRetryAfter), and the jitter comes on top of it.
func (b Backoff) After(attempt int, random float64, retryAfter time.Duration) time.Duration {
	low, high := b.bounds()
	jitter := part(ceiling(attempt, low, high)-low, random)
	if retryAfter > 0 {
		return max(low, min(retryAfter, MaxRetryAfter)) + jitter
	}
	return low + jitter
}

func (b Backoff) bounds() (low, high time.Duration) {
	low, high = b.Min, b.Max
	if low <= 0 {
		low = DefaultMin
	}
	if high <= 0 {
		high = DefaultMax
	}
	return low, max(low, high)
}

// ceiling doubles by steps, so no attempt number overflows it.
func ceiling(attempt int, low, high time.Duration) time.Duration {
	c := low
	for i := 0; i <= max(attempt, 0); i++ {
		if c >= high/2 {
			return high
		}
		c *= 2
	}
	return c
}

// part is a share of d; a random number out of range, or none at all (NaN), counts
// as the nearest one that is.
func part(d time.Duration, random float64) time.Duration {
	switch {
	case random >= 1:
		return d
	case random > 0:
		return time.Duration(random * float64(d))
	}
	return 0
}
