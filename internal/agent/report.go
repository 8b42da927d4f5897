package agent

import (
	"context"
	"strings"
	"time"

	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/scope"
	"github.com/agentkeys/agentkeys/internal/wallet"
)

const (
	reportEvery  = time.Hour
	reportGather = 100 * time.Millisecond // a burst of events becomes one report
)

// Accessed counts one read for the owner's audit; it never waits. What names no
// service (a refused list) is only logged: the audit is about services.
func (d *Daemon) Accessed(a Access) {
	if scope.CheckService(a.Service) != nil {
		d.c.Logger.Info("caller refused", "interface", a.Interface, "caller", a.Caller, "unit", a.Unit)
		return
	}
	a.Unit = unitToTell(a.Unit, d.c.Wallet)
	d.events.add(a, time.Now())
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

// report tells the broker about local reads and about this daemon: within a second
// of an event while the broker is there, and once an hour anyway.
func (d *Daemon) report(ctx context.Context) {
	timer := time.NewTimer(reportEvery)
	defer timer.Stop()
	r := reporter{d: d}
	for {
		select {
		case <-ctx.Done():
			r.last(ctx)
			return
		case <-d.events.wake:
			pause(ctx, reportGather)
		case <-timer.C:
		}
		timer.Reset(r.turn(ctx, time.Now()))
	}
}

// reporter remembers what the broker was told.
type reporter struct {
	d       *Daemon
	told    protocol.Report // without events
	toldAt  time.Time
	failed  int
	dropped int
}

// turn sends what is due and returns when to look again.
func (r *reporter) turn(ctx context.Context, now time.Time) time.Duration {
	if state := r.d.state(); state != Online && state != Parked {
		return reportEvery // the change of state wakes us
	}
	body := r.body()
	events, next, dropped := r.d.events.batch(now)
	fresh := r.toldAt.IsZero() || now.Sub(r.toldAt) >= reportEvery || !sameReport(body, r.told)
	if len(events) == 0 && !fresh {
		return r.until(now, next)
	}
	r.noteDropped(dropped)
	r.told = body
	body.Events = events
	if err := r.send(ctx, body); err != nil {
		r.told = protocol.Report{}
		r.failed++
		return backoff().After(r.failed, r.d.c.Random(), retryAfter(err))
	}
	r.failed, r.toldAt = 0, now
	if len(events) == maxBatch {
		return 0
	}
	return r.until(now, next)
}

func (r *reporter) until(now, next time.Time) time.Duration {
	hour := r.toldAt.Add(reportEvery)
	if next.IsZero() || hour.Before(next) {
		next = hour
	}
	return max(next.Sub(now), 0)
}

// send removes the events that the broker took, or refuses for ever.
func (r *reporter) send(ctx context.Context, body protocol.Report) error {
	r.d.mu.RLock()
	broker, token := r.d.broker, r.d.v.bearer // of one session, whatever is loaded meanwhile
	r.d.mu.RUnlock()
	if broker == nil {
		return protocol.ErrUnreachable
	}
	err := broker.Report(ctx, token, body)
	if hasCode(err, protocol.CodeBadRequest) {
		r.d.c.Logger.Warn("report refused", "error", err)
		err = nil
	}
	if err == nil {
		r.d.events.sent(body.Events)
	}
	return err
}

// last gives what is left at a stop one chance.
func (r *reporter) last(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	events, _, _ := r.d.events.batch(time.Now().Add(eventWindow))
	if state := r.d.state(); len(events) == 0 || state != Online {
		return
	}
	body := r.body()
	body.Events = events
	if err := r.send(ctx, body); err != nil {
		r.d.c.Logger.Warn("events not reported", "count", len(events), "error", err)
	}
}

func (r *reporter) noteDropped(dropped int) {
	if dropped > r.dropped {
		r.d.c.Logger.Warn("events dropped", "count", dropped-r.dropped)
		r.dropped = dropped
	}
}

func (r *reporter) body() protocol.Report {
	d := r.d
	d.mu.RLock()
	defer d.mu.RUnlock()
	return protocol.Report{
		Version: d.c.Version, Host: plain(d.c.Host), StorageBackend: d.backend(),
		KeychainState: d.c.KeychainState(), State: string(d.v.state()), Events: []protocol.Event{},
	}
}

// plain is what a broker takes as a text of a report: ASCII, at most 256 bytes.
func plain(text string) string {
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, text)
	return text[:min(len(text), 256)]
}

func sameReport(a, b protocol.Report) bool {
	return a.Version == b.Version && a.Host == b.Host && a.StorageBackend == b.StorageBackend &&
		a.KeychainState == b.KeychainState && a.State == b.State
}
