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
	replacedEvery  = 10 * time.Second // was the slot saved by another program meanwhile?
	replacedOnline = time.Minute      // the same where the broker answers, and would refuse an old token
	replacedSoon   = time.Second      // in the first minute of a revocation, when a recovery is about to save its slot
	justEnded      = time.Minute
)

// loop is one run of the main loop.
type loop struct {
	d      *Daemon
	timer  *time.Timer
	cancel context.CancelFunc // of the link; nil while none runs
	done   chan error         // how the link ended

	reconciled time.Time // when the keychain was last given its turn
}

// Run works until ctx ends; Start came before it. It returns nil then, or
// store.ErrNoSession when a person removed the slot.
func (d *Daemon) Run(ctx context.Context) error {
	l := &loop{d: d, timer: time.NewTimer(0), done: make(chan error, 1)}
	defer l.timer.Stop()
	reporter := make(chan struct{})
	go func() {
		defer close(reporter)
		d.report(ctx)
	}()
	l.follow(ctx)
	err := l.run(ctx)
	l.stopLink()
	if err == nil {
		<-reporter
	}
	d.writeCache(false)
	return err
}

func (l *loop) run(ctx context.Context) error {
	ping, stop := l.watchdog()
	defer stop()
	for {
		var err error
		select {
		case <-ctx.Done():
			return nil
		case <-ping:
			l.d.c.Notifier.Ping()
		case <-l.d.turned:
			l.arm()
		case <-l.d.reloads:
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

// watchdog gives pings from the main loop, so that a stuck loop is restarted.
func (l *loop) watchdog() (ping <-chan time.Time, stop func()) {
	if l.d.c.Watchdog <= 0 {
		return nil, func() {}
	}
	t := time.NewTicker(l.d.c.Watchdog)
	return t.C, t.Stop
}

func (l *loop) changed() <-chan struct{} {
	if l.d.c.Keychain == nil {
		return nil
	}
	return l.d.c.Keychain.Changed()
}

func (l *loop) reload(ctx context.Context) error {
	l.d.c.Notifier.Reloading()
	defer l.d.c.Notifier.Ready()
	l.d.c.Settings()
	return l.loadAgain(ctx)
}

// loadAgain reads the slot anew, with nobody talking to the broker meanwhile.
func (l *loop) loadAgain(ctx context.Context) error {
	l.stopLink()
	if err := l.d.attempt(ctx); err != nil {
		return err
	}
	l.follow(ctx)
	return nil
}

// look does what the timer or the keychain asks for in the present state.
func (l *loop) look(ctx context.Context, keychainChanged bool) error {
	if l.d.again() {
		return l.loadAgain(ctx)
	}
	switch l.d.state() {
	case words.StateStarting, words.StateWaitingForKeychain, words.StateBlocked:
		if l.cancel == nil {
			return l.loadAgain(ctx)
		}
	}
	if l.d.loaded() && l.d.replaced() {
		return l.loadAgain(ctx)
	}
	if keychainChanged || l.d.unsettled() && time.Since(l.reconciled) >= reconcileEvery {
		l.d.reconcile(ctx)
		l.reconciled = time.Now()
	}
	l.arm()
	return nil
}

// follow starts the link of a loaded session and arms the timer.
func (l *loop) follow(ctx context.Context) {
	l.arm()
	_, _, broker := l.d.snapshot()
	if l.cancel != nil || broker == nil {
		return
	}
	linkCtx, cancel := context.WithCancel(ctx)
	l.cancel = cancel
	link := newLink(l.d, broker)
	go func() { l.done <- link.run(linkCtx) }()
}

func (l *loop) stopLink() {
	if l.cancel == nil {
		return
	}
	l.cancel()
	l.cancel = nil
	if err := <-l.done; err != nil {
		l.d.c.Logger.Debug("link stopped", "error", err)
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
	switch l.d.state() {
	case words.StateBlocked:
		after = blockedRetry
	case words.StateWaitingForKeychain:
		after = waitingRetry
	case words.StateOnline:
		after = replacedOnline
		if l.d.unsettled() {
			after = reconcileEvery
		}
	case words.StateRevoked:
		if l.d.endedWithin(justEnded) {
			after = replacedSoon
		}
	case words.StateStarting:
		if _, _, broker := l.d.snapshot(); broker == nil {
			after = busyRetry
		}
	}
	if l.d.again() {
		after = blockedRetry
	}
	l.timer.Reset(after)
}
