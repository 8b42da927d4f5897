package broker

import (
	"context"
	"sync"
	"time"
)

// wake tells waiting requests of this process that something about a name changed. A name is a
// wallet, or the token hash of a pairing.
type wake struct {
	mu      sync.Mutex
	waiting map[string]*waiters
}

type waiters struct {
	changed chan struct{}
	count   int
}

func newWake() *wake { return &wake{waiting: map[string]*waiters{}} }

// maxWaiting is how many long polls may wait for one name. A daemon or board has one, and for some
// time those whose connections broke without a sign.
const (
	maxWaiting   = 16
	waitingRetry = 5 // seconds
)

// Full reports whether no more long polls may wait for name.
func (w *wake) Full(name string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	g := w.waiting[name]
	return g != nil && g.count >= maxWaiting
}

// Join must be called before the state is read; a change after that closes the channel. The caller
// calls leave once.
func (w *wake) Join(name string) (changed <-chan struct{}, leave func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	g := w.waiting[name]
	if g == nil {
		g = &waiters{changed: make(chan struct{})}
		w.waiting[name] = g
	}
	g.count++
	return g.changed, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		if g.count--; g.count == 0 && w.waiting[name] == g {
			delete(w.waiting, name)
		}
	}
}

// Changed wakes all requests that wait for one of names.
func (w *wake) Changed(names ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, name := range names {
		if g := w.waiting[name]; g != nil {
			close(g.changed)
			delete(w.waiting, name)
		}
	}
}

// Waiting reports whether a request waits for name.
func (w *wake) Waiting(name string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.waiting[name] != nil
}

// Count is how many requests wait.
func (w *wake) Count() (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, g := range w.waiting {
		n += g.count
	}
	return n
}

// poll calls look until it returns an answer or an error, wait has passed (answered is false), the
// client has closed the connection, or the broker stops. look runs at least once.
func (b *Broker) poll(ctx context.Context, name string, wait time.Duration, look func() (answered bool, err error)) (bool, error) {
	if wait > 0 && b.wake.Full(name) {
		return false, slowDown("too many requests wait for the same", waitingRetry)
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		changed, leave := b.wake.Join(name)
		answered, err := look()
		if answered || err != nil || wait <= 0 {
			leave()
			return answered, err
		}
		var stopped error
		select {
		case <-changed:
		case <-timer.C:
			wait = 0
		case <-ctx.Done():
			stopped = ctx.Err()
		case <-b.done:
			stopped = unavailable()
		}
		leave()
		if stopped != nil {
			return false, stopped
		}
	}
}
