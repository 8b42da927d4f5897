package agent

import (
	"crypto/rand"
	"encoding/hex"
	"time"

	"github.com/agentkeys/agentkeys/internal/protocol"
)

const (
	maxBatch      = 400       // events of one report
	addWithin     = time.Hour // so long an event that waits takes the next of its kind
	resultGranted = "ok"
)

// tally counts the accesses of one class. The first of a kind is due at once; the same
// again within the window only counts, and is due when it is over. While the broker is
// away those of an hour become one. When it is full the oldest go, and their number is
// told.
type tally struct {
	most   int // events
	window time.Duration
	naming *naming // nil: every access is told as it is
	due    []waiting
	open   map[Access]*window
	lost   int
	result string // of what was lost
}

type waiting struct {
	event protocol.Event
	of    Access
	tried bool // it was sent, and may have arrived: nothing is added to it
}

// window is the time after an event of one kind.
type window struct {
	until time.Time
	count int // further events in it
	first int64
}

func newTally(most int, length time.Duration, n *naming) *tally {
	return &tally{most: most, window: length, naming: n, open: map[Access]*window{}}
}

func (ta *tally) add(a Access, now time.Time) (first, wake bool) {
	ta.result = a.Result
	if ta.naming != nil {
		a = ta.naming.name(a, now)
	}
	w, ok := ta.open[a]
	if ok && now.Before(w.until) {
		if w.count++; w.count == 1 {
			w.first = now.Unix()
		}
		return false, w.count == 1 // the sender must be there when the window is over
	}
	if ok {
		ta.close(a, w)
	}
	if len(ta.open) < ta.most {
		ta.open[a] = &window{until: now.Add(ta.window)}
	}
	ta.push(a, now.Unix(), 1)
	return true, true
}

func (ta *tally) push(a Access, at int64, count int) {
	if ta.join(a, at, count, addWithin) {
		return
	}
	if len(ta.due) >= ta.most {
		if ta.join(a, at, count, 0) {
			return
		}
		ta.dropOldest()
	}
	ta.due = append(ta.due, waiting{event: event(a, at, count), of: a})
}

// join adds to an event of the same kind that was not sent yet; within 0: however old.
func (ta *tally) join(a Access, at int64, count int, within time.Duration) bool {
	for i := len(ta.due) - 1; i >= 0; i-- {
		w := &ta.due[i]
		if w.of != a || w.tried || w.event.Lost || within > 0 && at-w.event.Time >= int64(within/time.Second) {
			continue
		}
		w.event.Count = min(w.event.Count+count, protocol.MaxEventCount)
		return true
	}
	return false
}

// dropOldest leaves the row alone that says how many were lost.
func (ta *tally) dropOldest() {
	for i, w := range ta.due {
		if !w.event.Lost {
			ta.lost += w.event.Count
			ta.due = append(append([]waiting{}, ta.due[:i]...), ta.due[i+1:]...)
			return
		}
	}
}

func event(a Access, at int64, count int) protocol.Event {
	var id [16]byte
	_, _ = rand.Read(id[:])
	return protocol.Event{
		ID: hex.EncodeToString(id[:]), Time: at, Service: a.Service, Interface: a.Interface,
		Caller: a.Caller, Unit: a.Unit, Result: a.Result, Reason: a.Reason, Count: min(count, protocol.MaxEventCount),
	}
}

func (ta *tally) close(a Access, w *window) {
	delete(ta.open, a)
	if w.count > 0 {
		ta.push(a, w.first, w.count)
	}
}

func (ta *tally) closeWindows(now time.Time, all bool) (next time.Time, lost int) {
	for a, w := range ta.open {
		if all || !now.Before(w.until) {
			ta.close(a, w)
		} else if w.count > 0 && (next.IsZero() || w.until.Before(next)) {
			next = w.until
		}
	}
	lost = ta.lost
	ta.tellLost(now)
	return next, lost
}

// tellLost makes an event of the number of what was lost, ahead of what is left; more than
// one where the number is larger than an event may count.
func (ta *tally) tellLost(now time.Time) {
	for i := range ta.due {
		if w := &ta.due[i]; w.event.Lost && !w.tried {
			n := min(ta.lost, protocol.MaxEventCount-w.event.Count)
			w.event.Count += n
			ta.lost -= n
		}
	}
	for ta.lost > 0 {
		e := event(Access{Result: ta.result}, now.Unix(), ta.lost)
		e.Lost = true
		ta.lost -= e.Count
		ta.due = append([]waiting{{event: e}}, ta.due...)
	}
}

func (ta *tally) batch() []protocol.Event {
	out := []protocol.Event{}
	for i := range ta.due[:min(len(ta.due), maxBatch)] {
		ta.due[i].tried = true
		out = append(out, ta.due[i].event)
	}
	return out
}

func (ta *tally) sent(events []protocol.Event) {
	have := map[string]bool{}
	for _, e := range events {
		have[e.ID] = true
	}
	kept := []waiting{}
	for _, w := range ta.due {
		if !have[w.event.ID] {
			kept = append(kept, w)
		}
	}
	ta.due = kept
}
