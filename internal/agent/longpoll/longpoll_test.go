package longpoll_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/agentkeys/agentkeys/internal/agent/longpoll"
	"github.com/agentkeys/agentkeys/internal/protocol"
)

// errGone is of a poll that ended without an answer of the broker.
var errGone = fmt.Errorf("%w: HTTP 504", protocol.ErrUnreachable)

func TestWhatAPollThatEndedSaysOfTheNextOne(t *testing.T) {
	t.Parallel()
	const longest = 45 * time.Second
	for name, c := range map[string]struct {
		took     time.Duration // of a poll that might wait for 45 s
		err      error
		then     error // of the question after a cut, which does not wait
		cut      bool
		wait     time.Duration // of the poll after that, without jitter
		gap      time.Duration
		waitLate time.Duration // the same when the bound is forgotten
	}{
		"answered in time":              {took: longest, wait: longest, waitLate: longest},
		"refused by the broker":         {took: time.Second, err: &protocol.Problem{Status: 401}, wait: longest, waitLate: longest},
		"refused at once":               {took: 0, err: errGone, wait: longest, waitLate: longest},
		"the wrong certificate":         {took: time.Minute, err: fmt.Errorf("%w: %w", errGone, protocol.ErrCertificate), wait: longest, waitLate: longest},
		"cut after 30 s":                {took: 30 * time.Second, err: errGone, cut: true, wait: 24 * time.Second, waitLate: longest},
		"cut after 1 s":                 {took: time.Second, err: errGone, cut: true, wait: 0, gap: 2 * time.Second, waitLate: longest},
		"no answer at all":              {took: longest, err: errGone, cut: true, wait: 18 * time.Second, waitLate: longest},
		"cut, and the broker is away":   {took: 30 * time.Second, err: errGone, cut: true, then: errGone, wait: longest, waitLate: longest},
		"cut, and the broker refuses":   {took: 30 * time.Second, err: errGone, cut: true, then: &protocol.Problem{Status: 409}, wait: 24 * time.Second, waitLate: longest},
		"longer than it might have run": {took: time.Minute, err: errGone, cut: true, wait: 18 * time.Second, waitLate: longest},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			now := time.Unix(1_700_000_000, 0)
			p := longpoll.Poll{Longest: longest}
			if got := p.Wait(now, 0); got != longest {
				t.Errorf("the first poll: %s", got)
			}
			if got := p.Ended(now, longest, c.took, c.err); got != c.cut {
				t.Errorf("cut: %t", got)
			}
			if c.cut {
				if got := p.Wait(now, 0); got != 0 {
					t.Errorf("the question after a cut waits %s", got)
				}
				p.Ended(now, 0, 0, c.then)
			}
			if got := p.Wait(now, 0); got != c.wait {
				t.Errorf("the next poll: %s, want %s", got, c.wait)
			}
			if got := p.Gap(now); got != c.gap {
				t.Errorf("gap: %s, want %s", got, c.gap)
			}
			if got := p.Wait(now.Add(time.Hour), 0); got != c.waitLate {
				t.Errorf("an hour later: %s, want %s", got, c.waitLate)
			}
		})
	}
}

func TestPollsAreSpreadOverANinth(t *testing.T) {
	t.Parallel()
	p := longpoll.Poll{Longest: 45 * time.Second}
	for random, want := range map[float64]time.Duration{0: 45 * time.Second, 0.5: 42 * time.Second, 0.999: 40 * time.Second} {
		if got := p.Wait(time.Unix(0, 0), random); got != want {
			t.Errorf("random %v: %s, want %s", random, got, want)
		}
	}
}
