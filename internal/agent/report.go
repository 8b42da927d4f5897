package agent

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/retry"
	"github.com/agentkeys/agentkeys/internal/secret"
	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/wallet"
	"github.com/agentkeys/agentkeys/internal/words"
)

const (
	reportEvery  = time.Hour
	reportGather = 100 * time.Millisecond // a burst of events becomes one report
)

// Accessed counts one read for the owner's audit, before its caller is answered; it waits
// for the card alone, at most keepWait, once in keepEvery and without the broker. A
// refused list names no service.
func (d *Daemon) Accessed(a Access) {
	now := time.Now()
	a.Unit = unitToTell(a.Unit, d.wallet)
	at, kept := d.events.keeping()
	first := d.events.add(a, now)
	switch {
	case first && a.Result != resultGranted:
		d.logger.Info("caller refused", "interface", a.Interface, "caller", a.Caller, "unit", a.Unit)
	case first && !now.Before(at):
		d.awaitKept(kept)
	}
}

// otherWallet stands for the unit of a caller that is another wallet's: a report may not
// name one.
const otherWallet = "other-wallet"

func unitToTell(unit string, own wallet.Wallet) string {
	switch {
	case unit == "" || protocol.IsUnit(unit) && !protocol.NamesOtherWallet(unit, own):
		return unit
	case protocol.NamesOtherWallet(unit, own):
		return otherWallet
	}
	return "unnamed"
}

// reporter tells the broker about local reads and about this daemon: within a second of an
// event while the broker is there, and once an hour anyway.
//
// It owns what the broker was told and the file of the events that it was not. It runs in a
// goroutine of its own, which alone uses its fields, as long as the daemon runs. Callers add
// events to the queue at the same time. It reads the slot's connection and the view, and
// changes neither: the link alone decides whether the broker is there.
type reporter struct {
	id            session.ID
	files         Files
	events        *queue
	view          *view
	connection    func() (Broker, secret.String) // of one session; nil while none is loaded
	keychainState func() words.KeychainState
	logger        *slog.Logger
	random        func() float64 // [0,1)
	version, host string

	told   protocol.Report // without events
	toldAt time.Time
	failed int
	again  [classes]time.Time // a class that the broker takes no more of before then
	kept   bool               // the file of events has some
}

func newReporter(c Config, q *queue, v *view, connection func() (Broker, secret.String)) *reporter {
	return &reporter{
		id: session.DaemonID(c.Wallet), files: c.Store, events: q, view: v, connection: connection, keychainState: c.KeychainState,
		logger: c.Logger, random: c.Random, version: c.Version, host: c.Host,
	}
}

// run works until ctx ends.
func (r *reporter) run(ctx context.Context) {
	timer := time.NewTimer(reportEvery)
	defer timer.Stop()
	r.recall()
	for {
		select {
		case <-ctx.Done():
			r.last(ctx)
			return
		case <-r.events.wake:
			if r.view.state() == words.StateOnline {
				retry.Pause(ctx, reportGather)
			}
		case <-timer.C:
		}
		timer.Reset(r.turn(ctx, time.Now()))
	}
}

// turn sends what is due and returns when to look again.
func (r *reporter) turn(ctx context.Context, now time.Time) time.Duration {
	next, lost := r.events.closeWindows(now, false)
	if lost > 0 {
		r.logger.Warn("events lost", "count", lost)
	}
	state, after := r.view.state(), time.Duration(0)
	if state == words.StateOnline || state == words.StateParked {
		if err := r.tell(ctx, now); err != nil {
			r.told = protocol.Report{}
			r.failed++
			after = backoff().After(r.failed, r.random(), protocol.RetryAfter(err))
		}
	} else {
		after = reportEvery // the change of state wakes us
	}
	refused := slices.ContainsFunc(r.again[:], now.Before)
	r.keep(now, after > 0 || refused, false)
	if after == 0 {
		r.failed, after = 0, max(r.toldAt.Add(reportEvery).Sub(now), 0)
	}
	return r.until(now, next, after)
}

// until is after, or sooner where a window ends, a class may go on, or the file is due.
func (r *reporter) until(now, next time.Time, after time.Duration) time.Duration {
	times := append([]time.Time{next}, r.again[:]...)
	if _, n := r.events.all(); n > 0 {
		at, _ := r.events.keeping()
		times = append(times, at)
	}
	for _, t := range times {
		if t.After(now) {
			after = min(after, t.Sub(now))
		}
	}
	return after
}

// tell sends the events, each class in reports of its own, and else what is new of the
// daemon. An error is about the broker; one that takes no more of a class is no error.
func (r *reporter) tell(ctx context.Context, now time.Time) error {
	body, told := r.body(), false
	for c := range classes {
		for !now.Before(r.again[c]) {
			body.Events = r.events.batch(c)
			if len(body.Events) == 0 {
				break
			}
			err := r.send(ctx, c, body)
			if protocol.HasCode(err, protocol.CodeSlowDown) {
				r.again[c] = now.Add(max(protocol.RetryAfter(err), time.Minute))
				break
			}
			if err != nil {
				return err
			}
			told = true
		}
	}
	body.Events = []protocol.Event{}
	fresh := r.toldAt.IsZero() || now.Sub(r.toldAt) >= reportEvery || !sameReport(body, r.told)
	if !told && fresh {
		if err := r.send(ctx, granted, body); err != nil {
			return err
		}
		told = true
	}
	if told {
		r.told, r.toldAt = body, now
	}
	return nil
}

// send removes the events that the broker took, or refuses for ever.
func (r *reporter) send(ctx context.Context, c class, body protocol.Report) error {
	broker, token := r.connection()
	if broker == nil {
		return protocol.ErrUnreachable
	}
	err := broker.Report(ctx, token, body)
	if protocol.HasCode(err, protocol.CodeBadRequest) {
		r.logger.Warn("report refused", "error", err)
		err = nil
	}
	if err == nil {
		r.events.sent(c, body.Events)
	}
	return err
}

// last gives what is left at a stop one chance, and else keeps it for the next run.
func (r *reporter) last(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	now := time.Now()
	r.events.closeWindows(now, true)
	if _, n := r.events.all(); n > 0 && r.view.state() == words.StateOnline {
		if err := r.tell(ctx, now); err != nil {
			r.logger.Warn("events not reported", "error", err)
		}
	}
	r.keep(now, true, true)
}

func (r *reporter) body() protocol.Report {
	f := r.view.now()
	return protocol.Report{
		Version: r.version, Host: protocol.ReportText(r.host), StorageBackend: f.backend(),
		KeychainState: r.keychainState(), State: f.state(), Events: []protocol.Event{},
	}
}

func sameReport(a, b protocol.Report) bool {
	return a.Version == b.Version && a.Host == b.Host && a.StorageBackend == b.StorageBackend &&
		a.KeychainState == b.KeychainState && a.State == b.State
}
