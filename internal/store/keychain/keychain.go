// Package keychain is the machine's keychain behind the port store.Keychain: the
// Secret Service on Linux, the login keychain on macOS, and none elsewhere.
//
// It guarantees that
//
//   - every call returns by its deadline, 2 s by default. Reads and writes happen in a child
//     process, this program started again, which is killed with its process group at the
//     deadline; so a keychain library that hangs, leaks or panics does not reach the caller
//     (ADR 2);
//   - the probe, which finds out the state of the keychain, shows no prompt, starts no
//     program and writes nothing;
//   - no operation completes a prompt: one that would need a person's answer is refused;
//   - the secret is in no argument, environment, error or log, only on the child's standard
//     input and output.
//
// It does not guarantee that an operation whose call failed is not done later, nor that one
// whose call succeeded was done. Package store recognises both.
//
// The caller makes one Keychain with New and gives it to store.New; a daemon also calls Run,
// which keeps the probe fresh and tells of changes by Changed. The program's main must call
// Child before anything else when its first argument is ChildCommand.
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
	// Executable is started as the child; its main must call Child first. Empty = this
	// program, also after its file on the disk was replaced by an upgrade.
	Executable string
	// Timeout bounds one operation and one probe; 0 = 2 s.
	Timeout time.Duration
	// Env reads an environment variable; nil = os.Getenv.
	Env func(string) string
	// Logger is told of state changes; nil = discard.
	Logger *slog.Logger
	// Observe is called after each probe, one call at a time, in the goroutine that
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

// Keychain implements store.Keychain. It may be used by any number of goroutines; one child
// and one probe run at a time. Without Run it probes only when it is asked.
type Keychain struct {
	cfg      Config
	platform platform
	random   func() float64 // [0,1), for jitter

	probing    chan struct{} // held during a probe
	working    chan struct{} // held while a child runs
	wakeups    chan struct{} // something may have changed: probe soon
	reschedule chan struct{} // the time of the next probe changed
	busSeen    chan struct{} // there is a bus to listen on
	changed    chan struct{}

	mu      sync.Mutex
	last    cachedProbe
	waiting bool
}

var _ store.Keychain = (*Keychain)(nil)

// New connects to no bus and starts no process. With AGENTKEYS_SESSION_STORE=file it is not
// called at all.
func New(cfg Config) *Keychain {
	cfg = cfg.withDefaults()
	return newKeychain(cfg, newPlatform(cfg))
}

func newKeychain(cfg Config, p platform) *Keychain {
	return &Keychain{
		cfg:        cfg,
		platform:   p,
		random:     rand.Float64,
		probing:    make(chan struct{}, 1),
		working:    make(chan struct{}, 1),
		wakeups:    make(chan struct{}, 1),
		reschedule: make(chan struct{}, 1),
		busSeen:    make(chan struct{}, 1),
		changed:    make(chan struct{}, 1),
	}
}

// MaxValue is the largest value in bytes that Put takes for a slot of a wallet; 0 = no limit.
func (k *Keychain) MaxValue() int { return k.platform.maxValue() }

// Changed gets one value, never more than one unread, after a probe whose state,
// provider or bus differs from the one before. For one reader; never closed.
func (k *Keychain) Changed() <-chan struct{} { return k.changed }

// SetWaiting says whether a session is in a keychain that cannot be read now. While it is, a
// probe follows the last one after 15 s at the latest.
func (k *Keychain) SetWaiting(waiting bool) {
	k.mu.Lock()
	k.waiting = waiting
	k.mu.Unlock()
	notify(k.reschedule)
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
