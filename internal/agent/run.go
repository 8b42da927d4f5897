package agent

import (
	"context"
	"errors"
	"time"

	"github.com/agentkeys/agentkeys/internal/retry"
	"github.com/agentkeys/agentkeys/internal/store"
	"github.com/agentkeys/agentkeys/internal/words"
)

// How often the main loop looks again.
const (
	blockedRetry   = 5 * time.Minute
	waitingRetry   = 20 * time.Second
	busyRetry      = time.Second
	reloadPause    = 200 * time.Millisecond // a slot that changes all the time must not keep the board busy
	reconcileEvery = 30 * time.Second
	replacedEvery  = 10 * time.Second // was the slot saved by another program?
	replacedOnline = time.Minute      // the same where the broker answers, and would refuse an old token
	replacedSoon   = time.Second      // in the first minute of a revocation, when a recovery is about to save its slot
	justEnded      = time.Minute
)

// loop is the main loop: it loads the slot, starts and stops the link, and looks again when
// the keychain, a signal or its timer says so.
//
// It owns the link's life and the timer. It runs in the goroutine of Daemon.Run, which alone
// uses its fields; Start, before that, calls load alone. The pings of the watchdog come from
// it, so it never waits for the broker, and for the disk only as long as a load or a save is
// bounded. Other goroutines reach it by its two channels, which hold one signal each.
type loop struct {
	parts

	keychain Keychain // nil: never used
	notifier Notifier
	settings func()
	watchdog time.Duration // between two pings; 0: none
	reloads  chan struct{} // a person asks to read settings and slot again
	turned   chan struct{} // the state is another than before: the timer is to be set

	timer      *time.Timer
	cancel     context.CancelFunc // of the link; nil while none runs
	done       chan error         // how the link ended
	reconciled time.Time          // when the keychain was last given its turn
}

func newLoop(c Config, p parts, turned chan struct{}) *loop {
	return &loop{
		parts: p, keychain: c.Keychain, notifier: c.Notifier, settings: c.Settings, watchdog: c.Watchdog,
		reloads: make(chan struct{}, 1), turned: turned, done: make(chan error, 1),
	}
}

// work runs until ctx ends; load came before it. It returns nil then, or
// store.ErrNoSession when a person removed the slot.
func (l *loop) work(ctx context.Context) error {
	l.timer = time.NewTimer(0)
	defer l.timer.Stop()
	l.follow(ctx)
	err := l.run(ctx)
	l.stopLink()
	return err
}

func (l *loop) run(ctx context.Context) error {
	ping, stop := l.pings()
	defer stop()
	for {
		var err error
		select {
		case <-ctx.Done():
			return nil
		case <-ping:
			l.notifier.Ping()
		case <-l.turned:
			l.arm()
		case <-l.reloads:
			err = l.reload(ctx)
		case <-l.changed():
			err = l.look(ctx, true)
		case <-l.timer.C:
			err = l.look(ctx, false)
		case err = <-l.done:
			err = l.linkEnded(ctx, err)
		}
		if err != nil {
			return err
		}
	}
}

// pings come from the main loop, so that a stuck loop is restarted.
func (l *loop) pings() (ping <-chan time.Time, stop func()) {
	if l.watchdog <= 0 {
		return nil, func() {}
	}
	t := time.NewTicker(l.watchdog)
	return t.C, t.Stop
}

func (l *loop) changed() <-chan struct{} {
	if l.keychain == nil {
		return nil
	}
	return l.keychain.Changed()
}

func (l *loop) reload(ctx context.Context) error {
	l.notifier.Reloading()
	defer l.notifier.Ready()
	l.settings()
	return l.loadAgain(ctx)
}

// load reads the slot, and the cache of a session that was not in memory before. Errors are
// those of slot.load.
func (l *loop) load(ctx context.Context) error {
	other, err := l.slot.load(ctx)
	if other {
		s, _ := l.slot.snapshot()
		l.cache.load(s)
	}
	return err
}

// loadAgain reads the slot anew, while no link runs.
func (l *loop) loadAgain(ctx context.Context) error {
	l.stopLink()
	if err := l.load(ctx); err != nil {
		return err
	}
	l.follow(ctx)
	return nil
}

// look does what the timer or the keychain asks for in the present state.
func (l *loop) look(ctx context.Context, keychainChanged bool) error {
	if l.slot.unread {
		return l.loadAgain(ctx)
	}
	switch l.view.state() {
	case words.StateStarting, words.StateWaitingForKeychain, words.StateBlocked:
		if l.cancel == nil {
			return l.loadAgain(ctx)
		}
	}
	if l.slot.loaded() && l.slot.replaced() {
		return l.loadAgain(ctx)
	}
	if keychainChanged || l.slot.needsReconcile() && time.Since(l.reconciled) >= reconcileEvery {
		l.slot.reconcile(ctx)
		l.reconciled = time.Now()
	}
	l.arm()
	return nil
}

// follow starts the link of a loaded session and arms the timer.
func (l *loop) follow(ctx context.Context) {
	l.arm()
	broker, _ := l.slot.connection()
	if l.cancel != nil || broker == nil {
		return
	}
	linkCtx, cancel := context.WithCancel(ctx)
	l.cancel = cancel
	link := newLink(l.parts, broker)
	go func() { l.done <- link.run(linkCtx) }()
}

func (l *loop) stopLink() {
	if l.cancel == nil {
		return
	}
	l.cancel()
	l.cancel = nil
	if err := <-l.done; err != nil {
		l.logger.Debug("link stopped", "error", err)
	}
}

// linkEnded is called when the link stopped by itself.
func (l *loop) linkEnded(ctx context.Context, err error) error {
	l.cancel()
	l.cancel = nil
	if errors.Is(err, store.ErrNoSession) {
		return err
	}
	if ctx.Err() != nil {
		return nil // a stop ended it, and the loop hears of that next
	}
	if retry.Pause(ctx, reloadPause); ctx.Err() != nil {
		return nil
	}
	return l.loadAgain(ctx)
}

// arm sets the timer for the present state.
func (l *loop) arm() {
	after := replacedEvery
	switch l.view.state() {
	case words.StateBlocked:
		after = blockedRetry
	case words.StateWaitingForKeychain:
		after = waitingRetry
	case words.StateOnline:
		after = replacedOnline
		if l.slot.needsReconcile() {
			after = reconcileEvery
		}
	case words.StateRevoked:
		if l.view.now().endedWithin(justEnded) {
			after = replacedSoon
		}
	case words.StateStarting:
		if !l.slot.loaded() {
			after = busyRetry
		}
	}
	if l.slot.unread {
		after = blockedRetry
	}
	l.timer.Reset(after)
}
