package agent

import (
	"context"
	"log/slog"
	"time"

	"github.com/agentkeys/agentkeys/internal/wallet"
	"github.com/agentkeys/agentkeys/internal/words"
)

// Notifier tells the service manager how the daemon is; methods do nothing where
// there is none.
type Notifier interface {
	Status(state words.State, line string) // called when the line changed
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

// Daemon keeps one wallet. It owns its parts and nothing else: the slot (the session and
// where it is stored), the view (what callers are answered from), the cache, the main loop
// with its link to the broker, and the reporter. Facts flow from the broker through the link
// to the slot and the view, and from there to callers, never back.
//
// Run is called once, after Start, by one goroutine; Close when it has returned. All other
// methods may be called from any goroutine at any time, before Start too.
type Daemon struct {
	wallet        wallet.Wallet
	conditions    Conditions
	synced        func() bool
	keychainState func() words.KeychainState
	logger        *slog.Logger

	view     *view
	slot     *slot
	cache    *cache
	events   *queue
	loop     *loop
	reporter *reporter
}

// New makes a daemon that has not looked at its slot yet.
func New(c Config) *Daemon {
	events, turned := newQueue(), make(chan struct{}, 1)
	v := newView(c, func() {
		events.wakeUp()
		signal(turned)
	})
	d := &disk{conditions: c.Conditions}
	p := parts{
		slot: newSlot(c, d, v), view: v, cache: newCache(c, d, v), conditions: c.Conditions, observer: c.Observer,
		logger: c.Logger, synced: c.ClockSynced, random: c.Random,
	}
	return &Daemon{
		wallet: c.Wallet, conditions: c.Conditions, synced: c.ClockSynced, keychainState: c.KeychainState, logger: c.Logger,
		slot: p.slot, view: v, cache: p.cache, events: events,
		loop: newLoop(c, p, turned), reporter: newReporter(c, events, v, p.slot.connection),
	}
}

// Start takes the slot's run lock and looks for the session once. Errors:
// store.ErrNoSession (there is nothing to run: pair first), store.ErrBusy (another
// daemon runs for this wallet). Everything else is a state of the daemon.
func (d *Daemon) Start(ctx context.Context) error {
	if err := d.loop.load(ctx); err != nil {
		return err
	}
	d.view.tellStatus() // the first one, also where nothing changed
	return nil
}

// Run works until ctx ends; Start came before it. It returns nil then, or
// store.ErrNoSession when a person removed the slot.
func (d *Daemon) Run(ctx context.Context) error {
	reported := make(chan struct{})
	go func() {
		defer close(reported)
		d.reporter.run(ctx)
	}()
	err := d.loop.work(ctx)
	if err == nil {
		<-reported
	}
	d.cache.close()
	return err
}

// Close gives the run lock back.
func (d *Daemon) Close() { d.slot.close() }

// Reload makes the daemon read its settings and its slot again.
func (d *Daemon) Reload() { signal(d.loop.reloads) }

// signal leaves one signal in a channel of capacity 1.
func signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
