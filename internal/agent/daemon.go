package agent

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/agentkeys/agentkeys/internal/secret"
	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/store"
	"github.com/agentkeys/agentkeys/internal/wallet"
	"github.com/agentkeys/agentkeys/internal/words"
)

// Notifier tells the service manager how the daemon is; methods do nothing where
// there is none.
type Notifier interface {
	Status(state words.State, line string) // a line that is another one than before
	Reloading()
	Ready()
	Ping()
}

// Config is what a Daemon needs. Two may be nil: Keychain (it is never used) and
// Named (no settings name a broker).
type Config struct {
	Wallet        wallet.Wallet
	Store         Store
	Dial          func(url string) (Broker, error) // url is empty in an adopted session
	Named         func() (url, from string)        // the broker of the settings, and who says so; url is empty where none does
	Keychain      Keychain
	KeychainState func() words.KeychainState // of the last probe
	KeychainHint  string                     // what mends a keychain that cannot be read; empty: as declared
	Conditions    Conditions
	Observer      Observer
	Notifier      Notifier
	Logger        *slog.Logger
	Host, Version string
	BootID        string
	ClockSynced   func() bool       // whether the wall clock is synchronised
	Floor         func() time.Time  // NotBefore of the broker's last verified certificate
	SetFloor      func(t time.Time) // what the cache remembers of it
	Random        func() float64    // [0,1)
	Settings      func()            // called on SIGHUP, before the slot is loaded again
	Watchdog      time.Duration     // between two pings; 0: none
}

// Daemon keeps one wallet. Its methods for local callers are safe from any goroutine.
type Daemon struct {
	c  Config
	id session.ID

	mu sync.RWMutex // guards v
	v  view

	slot    turn   // one change of the slot at a time
	release func() // the run lock; nil while not held
	broker  Broker // of the loaded session; guarded by mu

	events  *queue
	reloads chan struct{}
	turned  chan struct{} // the state is another one: the main loop arms its timer
	diskBad atomic.Bool   // the last write failed for the card
	card    card          // only the link and, while none runs, the main loop touch it
	left    atomic.Bool   // card.stale could not be removed
}

// New makes a daemon that has not looked at its slot yet.
func New(c Config) *Daemon {
	return &Daemon{
		c: c, id: session.DaemonID(c.Wallet),
		v:       view{phase: words.StateStarting, reason: "the session is being loaded", records: map[string]held{}},
		slot:    newTurn(),
		events:  newQueue(),
		reloads: make(chan struct{}, 1),
		turned:  make(chan struct{}, 1),
	}
}

// Start takes the slot's run lock and looks for the session once. Errors:
// store.ErrNoSession (there is nothing to run: pair first), store.ErrBusy (another
// daemon runs for this wallet). Everything else is a state of the daemon.
func (d *Daemon) Start(ctx context.Context) error {
	if err := d.attempt(ctx); err != nil {
		return err
	}
	d.mu.RLock()
	state, line := d.v.state(), d.v.statusLine()
	d.mu.RUnlock()
	d.c.Notifier.Status(state, line) // the first one, also where it is the zero view's
	return nil
}

// Close gives the run lock back.
func (d *Daemon) Close() {
	if d.release != nil {
		d.release()
		d.release = nil
	}
}

// Reload makes the daemon read its settings and its slot again.
func (d *Daemon) Reload() {
	select {
	case d.reloads <- struct{}{}:
	default:
	}
}

// hold takes the run lock once the slot's directory exists.
func (d *Daemon) hold() error {
	if d.release != nil {
		return nil
	}
	release, err := d.c.Store.HoldRun(d.id)
	switch {
	case err == nil:
		d.release = release
	case errors.Is(err, store.ErrBusy):
		return fmt.Errorf("another daemon runs for wallet %s: %w", d.c.Wallet, store.ErrBusy)
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, store.ErrInsecure):
		// Load says what is the matter.
	default:
		d.c.Logger.Warn("run lock not taken", "error", err)
	}
	return nil
}

// setView changes what callers see and reports a change of state once.
func (d *Daemon) setView(change func(*view)) {
	d.mu.Lock()
	before, beforeLine := d.v.state(), d.v.statusLine()
	change(&d.v)
	after, line := d.v.state(), d.v.statusLine()
	n := len(d.v.records)
	d.mu.Unlock()
	if after != before {
		d.c.Logger.Info("state changed", "state", string(after), "previous", string(before))
		d.events.wakeUp()
		select {
		case d.turned <- struct{}{}:
		default:
		}
	}
	if line != beforeLine {
		d.c.Notifier.Status(after, line)
		d.c.Observer.Credentials(n)
	}
}

// snapshot is the session as it is stored now, and who to ask about it.
func (d *Daemon) snapshot() (session.Session, store.Info, Broker) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.v.session, d.v.info, d.broker
}

func (d *Daemon) state() words.State {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.v.state()
}

func (d *Daemon) again() bool {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.v.again
}

func (d *Daemon) bearer() secret.String {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.v.bearer
}
