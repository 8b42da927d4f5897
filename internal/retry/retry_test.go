package retry_test

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/agentkeys/agentkeys/internal/retry"
)

func TestTheWaitGrowsToItsBound(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		b          retry.Backoff
		attempt    int
		random     float64
		retryAfter time.Duration
		want       time.Duration
	}{
		"first, at the least":            {attempt: 0, random: 0, want: time.Second},
		"first, at the most":             {attempt: 0, random: 1, want: 2 * time.Second},
		"third, in the middle":           {attempt: 2, random: .5, want: 4500 * time.Millisecond},
		"late, at the least":             {attempt: 50, random: 0, want: time.Second},
		"late, at the most":              {attempt: 50, random: 1, want: 5 * time.Minute},
		"very late":                      {attempt: math.MaxInt, random: 1, want: 5 * time.Minute},
		"a negative attempt":             {attempt: -3, random: 1, want: 2 * time.Second},
		"own bounds":                     {b: retry.Backoff{Min: 10 * time.Second, Max: 15 * time.Second}, attempt: 9, random: 1, want: 15 * time.Second},
		"bounds the wrong way round":     {b: retry.Backoff{Min: time.Minute, Max: time.Second}, attempt: 9, random: 1, want: time.Minute},
		"not a number":                   {attempt: 50, random: math.NaN(), want: time.Second},
		"the server's wish":              {attempt: 0, random: 0, retryAfter: 30 * time.Second, want: 30 * time.Second},
		"the server's wish, with jitter": {attempt: 0, random: 1, retryAfter: 30 * time.Second, want: 31 * time.Second},
		"a wish below the least":         {attempt: 0, random: 0, retryAfter: time.Millisecond, want: time.Second},
		"a wish of a year":               {attempt: 0, random: 0, retryAfter: 365 * 24 * time.Hour, want: time.Hour},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := tt.b.After(tt.attempt, tt.random, tt.retryAfter); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func TestTheWaitIsAlwaysWithinBounds(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		b := retry.Backoff{
			Min: time.Duration(rapid.Int64().Draw(t, "min")),
			Max: time.Duration(rapid.Int64().Draw(t, "max")),
		}
		if rapid.Bool().Draw(t, "default bounds") {
			b = retry.Backoff{Min: retry.DefaultMin, Max: retry.DefaultMax}
		}
		low, high := b.Min, b.Max
		if low <= 0 {
			low = retry.DefaultMin
		}
		if high <= 0 {
			high = retry.DefaultMax
		}
		high = max(low, high)
		attempt, random := rapid.Int().Draw(t, "attempt"), rapid.Float64Range(0, 1).Draw(t, "random")
		if got := b.After(attempt, random, 0); got < low || got > high {
			t.Fatalf("%v is not in %v to %v", got, low, high)
		}
	})
}

func TestRetryAfterIsTheLeast(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		asked := time.Duration(rapid.Int64Range(1, int64(retry.MaxRetryAfter)).Draw(t, "asked"))
		got := retry.Backoff{}.After(rapid.IntRange(0, 100).Draw(t, "attempt"), rapid.Float64Range(0, 1).Draw(t, "random"), asked)
		if got < asked || got > max(asked, retry.DefaultMin)+retry.DefaultMax {
			t.Fatalf("asked for %v, waits %v", asked, got)
		}
	})
}

func TestMoreFailuresNeverShortenTheWait(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		attempt, random := rapid.IntRange(0, 100).Draw(t, "attempt"), rapid.Float64Range(0, 1).Draw(t, "random")
		var b retry.Backoff
		if b.After(attempt+1, random, 0) < b.After(attempt, random, 0) {
			t.Fatal("shorter")
		}
	})
}

// A fleet that lost power together: the tries of 1000 boards are spread evenly.
func TestAFleetSpreads(t *testing.T) {
	t.Parallel()
	const boards, attempt = 1000, 9
	perSlot := map[int]int{}
	for i := range boards {
		perSlot[int(retry.Backoff{}.After(attempt, float64(i)/boards, 0)/(30*time.Second))]++
	}
	for slot, n := range perSlot {
		if n > boards/8 {
			t.Errorf("%d boards within half-minute %d", n, slot)
		}
	}
}
