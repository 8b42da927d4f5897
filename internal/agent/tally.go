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

func (t *tally) add(a Access, now time.Time) (first, wake bool) {
	t.result = a.Result
	if t.naming != nil {
		a = t.naming.name(a, now)
	}
	w, ok := t.open[a]
	if ok && now.Before(w.until) {
		if w.count++; w.count == 1 {
			w.first = now.Unix()
		}
		return false, w.count == 1 // the sender must be there when the window is over
	}
	if ok {
		t.close(a, w)
	}
	if len(t.open) < t.most {
		t.open[a] = &window{until: now.Add(t.window)}
	}
	t.push(a, now.Unix(), 1)
	return true, true
}

func (t *tally) push(a Access, at int64, count int) {
	if t.join(a, at, count, addWithin) {
		return
	}
	if len(t.due) >= t.most {
		if t.join(a, at, count, 0) {
			return
		}
		t.dropOldest()
	}
	t.due = append(t.due, waiting{event: event(a, at, count), of: a})
}

// join adds to an event of the same kind that was not sent yet; within 0: however old.
func (t *tally) join(a Access, at int64, count int, within time.Duration) bool {
	for i := len(t.due) - 1; i >= 0; i-- {
		w := &t.due[i]
		if w.of != a || w.tried || w.event.Lost || within > 0 && at-w.event.Time >= int64(within/time.Second) {
			continue
		}
		w.event.Count = min(w.event.Count+count, protocol.MaxEventCount)
		return true
	}
	return false
}

// dropOldest leaves the row alone that says how many were lost.
func (t *tally) dropOldest() {
	for i, w := range t.due {
		if !w.event.Lost {
			t.lost += w.event.Count
			t.due = append(append([]waiting{}, t.due[:i]...), t.due[i+1:]...)
			return
		}
	}
}

func event(a Access, at int64, count int) protocol.Event {
	var id [16]byte
	_, _ = rand.Read(id[:])
	return protocol.Event{
		ID: hex.EncodeToString(id[:]), Time: at, Service: a.Service, Interface: a.Interface,
		Caller: a.Caller, Unit: a.Unit, Result: a.Result, Count: min(count, protocol.MaxEventCount),
	}
}

func (t *tally) close(a Access, w *window) {
	delete(t.open, a)
	if w.count > 0 {
		t.push(a, w.first, w.count)
	}
}

func (t *tally) settle(now time.Time, all bool) (next time.Time, lost int) {
	for a, w := range t.open {
		if all || !now.Before(w.until) {
			t.close(a, w)
		} else if w.count > 0 && (next.IsZero() || w.until.Before(next)) {
			next = w.until
		}
	}
	lost = t.lost
	t.tellLost(now)
	return next, lost
}

// tellLost makes an event of the number of what was lost, ahead of what is left; more than
// one where the number is larger than an event may count.
func (t *tally) tellLost(now time.Time) {
	for i := range t.due {
		if w := &t.due[i]; w.event.Lost && !w.tried {
			n := min(t.lost, protocol.MaxEventCount-w.event.Count)
			w.event.Count += n
			t.lost -= n
		}
	}
	for t.lost > 0 {
		e := event(Access{Result: t.result}, now.Unix(), t.lost)
		e.Lost = true
		t.lost -= e.Count
		t.due = append([]waiting{{event: e}}, t.due...)
	}
}

func (t *tally) batch() []protocol.Event {
	out := []protocol.Event{}
	for i := range t.due[:min(len(t.due), maxBatch)] {
		t.due[i].tried = true
		out = append(out, t.due[i].event)
	}
	return out
}

func (t *tally) sent(events []protocol.Event) {
	have := map[string]bool{}
	for _, e := range events {
		have[e.ID] = true
	}
	kept := []waiting{}
	for _, w := range t.due {
		if !have[w.event.ID] {
			kept = append(kept, w)
		}
	}
	t.due = kept
}
