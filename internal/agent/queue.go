package agent

import (
	"crypto/rand"
	"encoding/hex"
	"sync"
	"time"

	"github.com/agentkeys/agentkeys/internal/protocol"
)

// Limits of the audit events of one daemon (design 3, report).
const (
	maxQueued   = 1000
	maxBatch    = 400
	eventWindow = time.Minute
)

// Access is one read that a local caller was granted or denied.
type Access struct {
	Service   string
	Interface string
	Caller    string // "uid=1000"
	Unit      string // systemd unit, or empty
	Result    string // "ok" or "denied"
}

// queue keeps events until the broker has them. The first of a kind is due at once;
// the same again within a minute only counts, and is due when the minute is over.
// When it is full the oldest go and are counted.
type queue struct {
	wake chan struct{} // something is due sooner than the sender knows

	mu      sync.Mutex
	due     []protocol.Event
	open    map[Access]*window
	dropped int
}

// window is the minute after an event of one kind.
type window struct {
	until time.Time
	count int // further events in it
	last  int64
}

func newQueue() *queue {
	return &queue{wake: make(chan struct{}, 1), open: map[Access]*window{}}
}

func (q *queue) wakeUp() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// add counts one event; it does not block on anything but the mutex.
func (q *queue) add(a Access, now time.Time) {
	q.mu.Lock()
	w, ok := q.open[a]
	if ok && now.Before(w.until) {
		w.count++
		w.last = now.Unix()
		first := w.count == 1
		q.mu.Unlock()
		if first {
			q.wakeUp() // somebody must be there when the minute is over
		}
		return
	}
	if ok {
		q.closeWindow(a, w)
	}
	if len(q.open) < maxQueued {
		q.open[a] = &window{until: now.Add(eventWindow)}
	}
	q.push(event(a, now.Unix(), 1))
	q.mu.Unlock()
	q.wakeUp()
}

func event(a Access, at int64, count int) protocol.Event {
	var id [16]byte
	_, _ = rand.Read(id[:])
	return protocol.Event{
		ID: hex.EncodeToString(id[:]), Time: at, Service: a.Service, Interface: a.Interface,
		Caller: a.Caller, Unit: a.Unit, Result: a.Result, Count: count,
	}
}

func (q *queue) push(e protocol.Event) {
	if len(q.due) >= maxQueued {
		q.due = append(q.due[:0:0], q.due[1:]...)
		q.dropped++
	}
	q.due = append(q.due, e)
}

func (q *queue) closeWindow(a Access, w *window) {
	delete(q.open, a)
	if w.count > 0 {
		q.push(event(a, w.last, w.count))
	}
}

// batch closes the windows that are over and returns the oldest events, and when
// the next window ends (zero: none is open). The events stay until sent.
func (q *queue) batch(now time.Time) (events []protocol.Event, next time.Time, dropped int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for a, w := range q.open {
		if !now.Before(w.until) {
			q.closeWindow(a, w)
		} else if w.count > 0 && (next.IsZero() || w.until.Before(next)) {
			next = w.until
		}
	}
	n := min(len(q.due), maxBatch)
	return append([]protocol.Event{}, q.due[:n]...), next, q.dropped
}

// sent removes what the broker has by now.
func (q *queue) sent(events []protocol.Event) {
	q.mu.Lock()
	defer q.mu.Unlock()
	have := map[string]bool{}
	for _, e := range events {
		have[e.ID] = true
	}
	kept := []protocol.Event{}
	for _, e := range q.due {
		if !have[e.ID] {
			kept = append(kept, e)
		}
	}
	q.due = kept
}
