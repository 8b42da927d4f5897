package agent

import (
	"sync"
	"time"

	"github.com/agentkeys/agentkeys/internal/protocol"
)

// Access is one read that a local caller was granted or denied.
type Access struct {
	Service   string
	Interface string
	Caller    string // "uid=1000"
	Unit      string // systemd unit, or empty
	Result    string // "ok" or "denied"
	Reason    string // of a denial: one of protocol.Reason...
	Stranger  bool   // no rule knows the caller
}

// class is a kind of access with a queue of its own, so that none can push out another.
type class int

const (
	granted class = iota
	refused
	strangers
	classes // how many there are
)

func classOf(a Access) class {
	switch {
	case a.Result == resultGranted:
		return granted
	case a.Stranger:
		return strangers
	}
	return refused
}

// queue keeps events until the broker has them. It owns the tallies. Callers add events, and
// the reporter takes them out, from any goroutine at any time; none waits for the broker.
type queue struct {
	wake chan struct{} // something is due sooner than the sender knows

	mu      sync.Mutex
	tallies [classes]*tally
	keepAt  time.Time     // the file of events is not written before
	kept    chan struct{} // closed when it was, or could not be
}

func newQueue() *queue {
	return &queue{wake: make(chan struct{}, 1), kept: make(chan struct{}), tallies: [classes]*tally{
		granted: newTally(1000, time.Minute, nil),
		refused: newTally(200, time.Minute, newNaming(16, 8)),
		// All of them together stay below what the broker takes of denials, so that
		// those of the callers that have a rule come through.
		strangers: newTally(100, 30*time.Minute, newNaming(8, 4)),
	}}
}

func (q *queue) wakeUp() { signal(q.wake) }

// add counts one event; it does not block on anything but the mutex. It reports
// whether the event is the first of its kind for a while.
func (q *queue) add(a Access, now time.Time) (first bool) {
	q.mu.Lock()
	first, wake := q.tallies[classOf(a)].add(a, now)
	q.mu.Unlock()
	if wake {
		q.wakeUp()
	}
	return first
}

// closeWindows makes events of the windows that are over (all: of every one) and of what was
// lost. It returns when the next window ends (zero: none is open) and how many were lost.
func (q *queue) closeWindows(now time.Time, all bool) (next time.Time, lost int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, t := range q.tallies {
		end, n := t.closeWindows(now, all)
		lost += n
		if !end.IsZero() && (next.IsZero() || end.Before(next)) {
			next = end
		}
	}
	return next, lost
}

// batch is the oldest events of a class, at most maxBatch. They stay until sent.
func (q *queue) batch(c class) []protocol.Event {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.tallies[c].batch()
}

// sent removes what the broker has by now.
func (q *queue) sent(c class, events []protocol.Event) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.tallies[c].sent(events)
}

// all is every event that waits, by class.
func (q *queue) all() (out [classes][]protocol.Event, n int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for c, t := range q.tallies {
		for _, w := range t.due {
			out[c] = append(out[c], w.event)
		}
		n += len(out[c])
	}
	return out, n
}

// restore puts events of an earlier run before those of this one. The broker may have
// some of them, so nothing is added to them.
func (q *queue) restore(events [classes][]protocol.Event) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for c, t := range q.tallies {
		var before []waiting
		for _, e := range events[c][:min(len(events[c]), t.most)] {
			before = append(before, waiting{event: e, tried: true})
		}
		t.due = append(before, t.due...)
	}
}

// keeping is when the file of events may be written next, and what is closed then.
func (q *queue) keeping() (at time.Time, kept <-chan struct{}) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.keepAt, q.kept
}

// wasKept says that a write was tried, and when the next may be.
func (q *queue) wasKept(next time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.keepAt = next
	close(q.kept)
	q.kept = make(chan struct{})
}
