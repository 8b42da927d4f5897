// Package longpoll says how long the next long poll to a broker may wait. It never
// sleeps and asks nothing: the caller polls, and tells it how each poll ended.
package longpoll

import (
	"errors"
	"time"

	"github.com/agentkeys/agentkeys/internal/protocol"
)

const (
	leastCut  = 900 * time.Millisecond // a poll that fails sooner was not cut: the broker is away
	cutKept   = time.Hour              // how long a bound is kept that was learned, at most
	cutPolls  = 360                    // for how many times the cut it is kept, where that is less
	cutMargin = 5                      // a learned bound stays a fifth below the cut
	leastGap  = 2 * time.Second        // between questions where the bound lets none wait
)

// Poll is what is known of one way to a broker. A proxy on the way may end a poll
// that waits quietly, with an answer of its own (408, 504) or with none. That says
// nothing about the broker: not that it is away, and not that it is there. So the next
// question does not wait, and only its answer counts: if there is one, the poll was cut, and
// what was cut there is the bound for the next hour, or less where the bound is short: a
// connection that broke once may look the same. A Poll serves one goroutine.
type Poll struct {
	Longest time.Duration // of a poll while no bound is known

	cut   time.Duration // when the last poll was cut; 0: it was not
	bound time.Duration // learned, in whole seconds; 0: no question may wait
	until time.Time     // when it is forgotten; zero: none was learned
}

// Wait is how long the next poll may stay open: at most Longest and at least eight ninths
// of it, in whole seconds; 0 after a poll that was cut. random is in [0,1): many agents
// must not ask in step.
func (p *Poll) Wait(now time.Time, random float64) time.Duration {
	if p.cut > 0 {
		return 0
	}
	most := p.Longest
	if p.bounded(now) {
		most = p.bound
	}
	less := time.Duration(random * float64(most/9+time.Second)).Truncate(time.Second)
	return max(most-less, min(most, time.Second))
}

func (p *Poll) bounded(now time.Time) bool { return now.Before(p.until) }

// Gap is how long to leave before the next poll, so that those which may not wait
// follow each other slowly.
func (p *Poll) Gap(now time.Time) time.Duration {
	if p.cut == 0 && p.bounded(now) && p.bound == 0 {
		return leastGap
	}
	return 0
}

// Ended takes note of how a poll that might wait for wait ended at now, after took; err is
// nil where the broker answered. It reports whether the poll was cut on its way: err says
// nothing then, and the caller asks again at once.
func (p *Poll) Ended(now time.Time, wait, took time.Duration, err error) (cut bool) {
	before := p.cut
	p.cut = 0
	away := errors.Is(err, protocol.ErrUnreachable)
	switch {
	case away && min(wait, took) >= leastCut && !errors.Is(err, protocol.ErrCertificate):
		p.cut = took
		if took >= wait { // no answer came at all, as from a router that forgot the connection
			p.cut = wait / 2
		}
		return true
	case before > 0 && !away:
		p.bound = (before - before/cutMargin).Truncate(time.Second)
		p.until = now.Add(min(cutKept, cutPolls*before))
	}
	return false
}
