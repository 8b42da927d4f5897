// Package keychain is the machine's keychain behind the port store.Keychain: the
// Secret Service on Linux, the login keychain on macOS, nothing elsewhere.
//
// Reads and writes happen in a child process, this executable started again, which
// is killed with its group at the deadline: whatever hangs, leaks or panics in a
// keychain library stays there. The probe neither prompts nor starts anything.
package keychain

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"os"
	"sync"
	"time"

	"github.com/agentkeys/agentkeys/internal/store"
)

const (
	serviceName    = "agentkeys" // attribute `service` of every entry
	defaultTimeout = 2 * time.Second
)

// Config is what New needs; every field has a default.
type Config struct {
	// Executable is started as the child; its main must call Child first. Default:
	// this program, found so that an upgrade of the file on disk does not matter.
	Executable string
	// Timeout bounds one operation and one probe; 0 = 2 s.
	Timeout time.Duration
	// Env is os.Getenv by default.
	Env func(string) string
	// Logger takes state changes; nil = nowhere.
	Logger *slog.Logger
	// Observe is told of each fresh probe, one at a time, in the goroutine that
	// probed; it must not call the Keychain. May be nil.
	Observe func(store.Probe)
}

func (c Config) withDefaults() Config {
	if c.Executable == "" {
		c.Executable = ownExecutable()
	}
	if c.Timeout <= 0 {
		c.Timeout = defaultTimeout
	}
	if c.Env == nil {
		c.Env = os.Getenv
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Observe == nil {
		c.Observe = func(store.Probe) {}
	}
	return c
}

// Keychain implements store.Keychain. It is good for any number of goroutines; one
// child and one probe run at a time. Without Run it looks only when it is asked.
type Keychain struct {
	cfg      Config
	platform platform
	random   func() float64 // [0,1), for jitter

	probing chan struct{} // held during a probe
	working chan struct{} // held while a child runs
	pokes   chan struct{} // something may have changed: look soon
	rearm   chan struct{} // the time of the next look moved
	busSeen chan struct{} // there is a bus to listen on
	changed chan struct{}

	mu      sync.Mutex
	last    sighting
	waiting bool
}

var _ store.Keychain = (*Keychain)(nil)

// New touches nothing: no bus, no process. In mode `file` it is not called at all.
func New(cfg Config) *Keychain {
	cfg = cfg.withDefaults()
	return newKeychain(cfg, newPlatform(cfg))
}

func newKeychain(cfg Config, p platform) *Keychain {
	return &Keychain{
		cfg:      cfg,
		platform: p,
		random:   rand.Float64,
		probing:  make(chan struct{}, 1),
		working:  make(chan struct{}, 1),
		pokes:    make(chan struct{}, 1),
		rearm:    make(chan struct{}, 1),
		busSeen:  make(chan struct{}, 1),
		changed:  make(chan struct{}, 1),
	}
}

// MaxValue is the largest value in bytes that Put takes for a slot of a wallet; 0 = no limit.
func (k *Keychain) MaxValue() int { return k.platform.maxValue() }

// Changed gets one value, never more than one unread, after a probe whose state,
// provider or bus differs from the one before. For one reader; never closed.
func (k *Keychain) Changed() <-chan struct{} { return k.changed }

// SetWaiting says whether a session waits in the keychain for it to become
// readable: then it is looked at every 15 s at the latest.
func (k *Keychain) SetWaiting(waiting bool) {
	k.mu.Lock()
	k.waiting = waiting
	k.mu.Unlock()
	notify(k.rearm)
}

// notify leaves at most one unread value in c.
func notify(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// acquire takes a semaphore of size one; false when ctx ended first.
func acquire(ctx context.Context, semaphore chan struct{}) bool {
	select {
	case semaphore <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}
