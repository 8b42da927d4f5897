// Package retry says how long to wait before the next attempt, and waits.
//
// The wait has full jitter: it is drawn from the whole range, so the boards of a fleet that
// lost power or their broker at the same time do not all return at the same time.
package retry

import "time"

// The bounds of a zero Backoff, and the longest Retry-After that is obeyed. A proxy that
// asks for a year must not keep an agent away for a year.
const (
	DefaultMin    = time.Second
	DefaultMax    = 5 * time.Minute
	MaxRetryAfter = time.Hour
)

// Backoff is the range of waits. Zero fields mean DefaultMin and DefaultMax.
type Backoff struct{ Min, Max time.Duration }

// After is the wait before the next attempt, when attempt+1 attempts have failed. It is
// distributed evenly over [Min, ceiling), where the ceiling is twice Min after the first
// failure and doubles up to Max. random is in [0,1). A retryAfter above 0 is what the server
// asked for: the wait is at least that long (up to MaxRetryAfter), plus the jitter.
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

// ceiling doubles in a loop, so a large attempt number does not overflow it.
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

// part is the share random of d. A random number outside [0,1), or NaN, counts as the
// nearest one inside.
func part(d time.Duration, random float64) time.Duration {
	switch {
	case random >= 1:
		return d
	case random > 0:
		return time.Duration(random * float64(d))
	}
	return 0
}
