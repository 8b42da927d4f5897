package agent

import (
	"log/slog"
	"sync"
	"time"

	"github.com/agentkeys/agentkeys/internal/health/condition"
	"github.com/agentkeys/agentkeys/internal/words"
)

// view owns the facts that callers are answered from and reports their changes. The main
// loop, the link and the slot change it; any goroutine may read it at the same time, and
// no call waits for the broker or the disk. It hands no fact back to where it came from:
// the slot never asks it for the session.
type view struct {
	conditions Conditions
	synced     func() bool // whether the wall clock is synchronised
	notifier   Notifier
	logger     *slog.Logger
	observer   Observer
	turned     func() // the state is another than before

	mu    sync.RWMutex
	facts facts
}

func newView(c Config, turned func()) *view {
	return &view{
		conditions: c.Conditions, synced: c.ClockSynced, notifier: c.Notifier, logger: c.Logger, observer: c.Observer, turned: turned,
		facts: facts{phase: words.StateStarting, reason: "the session is being loaded", records: map[string]held{}},
	}
}

// now is a copy of the facts as they stand.
func (v *view) now() facts {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return v.facts
}

// change lets what it is given change the facts in one step, and reports a change of state
// once. Callers see all of that step or nothing of it.
func (v *view) change(step func(*facts)) {
	v.mu.Lock()
	before, beforeLine := v.facts.state(), v.facts.statusLine()
	step(&v.facts)
	after, line := v.facts.state(), v.facts.statusLine()
	n := len(v.facts.records)
	v.mu.Unlock()
	if after != before {
		v.logger.Info("state changed", "state", string(after), "previous", string(before))
		v.turned()
	}
	if line != beforeLine {
		v.notifier.Status(after, line)
		v.observer.Credentials(n)
	}
}

func (v *view) state() words.State { return v.now().state() }

// tellStatus tells the service manager how the daemon is, where nothing changed too.
func (v *view) tellStatus() {
	f := v.now()
	v.notifier.Status(f.state(), f.statusLine())
}

// noteLease reports the lease, and names one that is over.
func (v *view) noteLease() {
	f, now := v.now(), time.Now()
	over := f.expired(now, v.synced)
	v.observer.Lease(f.away(now, v.synced))
	v.change(func(f *facts) { f.over = over })
	v.conditions.Set(condition.OfflineTooLong, over, "")
}
