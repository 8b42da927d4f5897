// Package health says how a daemon is doing: the conditions that hold, whether it can serve,
// and its metrics. The command line, the local interface, systemd's STATUS= and the metrics
// use the same list (docs/spec/architecture.md#conditions).
package health

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/agentkeys/agentkeys/internal/health/condition"
	"github.com/agentkeys/agentkeys/internal/words"
)

// Active is a condition that holds. Its Hint has the wallet filled in.
type Active struct {
	condition.Declaration
	Detail string    // the details of this case, for people; may be empty; never a secret
	Since  time.Time // when it began to hold
}

// Conditions is the list of one instance. It is safe for concurrent use.
type Conditions struct {
	now    func() time.Time
	log    *slog.Logger
	wallet string

	mu       sync.Mutex
	asRoot   bool // the hints are for an instance of the machine, and begin with sudo
	active   map[condition.Code]Active
	onChange []func()
}

// NewConditions makes an empty list. Each change is logged to log once.
func NewConditions(now func() time.Time, log *slog.Logger, wallet string) *Conditions {
	return &Conditions{now: now, log: log, wallet: wallet, active: map[condition.Code]Active{}}
}

// OfMachine makes the hints begin with sudo, for an instance of the machine, whose slot only
// root may change. It is called before the first Set.
func (c *Conditions) OfMachine() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asRoot = true
}

// OnChange adds a function that is called after a condition began or ended to hold. It runs
// on the goroutine of the caller of Set and may read the list.
func (c *Conditions) OnChange(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.onChange = append(c.onChange, f)
}

// Set says whether a condition holds. A new detail of a condition that holds already replaces
// the old detail and is no change.
func (c *Conditions) Set(code condition.Code, active bool, detail string) {
	if active {
		c.SetHint(code, detail, "")
		return
	}
	c.mu.Lock()
	before, held := c.active[code]
	delete(c.active, code)
	listeners := c.onChange
	c.mu.Unlock()
	if held {
		c.log.Info("condition ended", "code", string(code), "seconds", c.now().Sub(before.Since).Seconds())
		call(listeners)
	}
}

// SetHint makes a condition hold with another hint than the declared one, a command that fits
// this case. An empty hint leaves the declared one.
func (c *Conditions) SetHint(code condition.Code, detail, hint string) {
	next, ok := c.describe(code, detail, hint)
	if !ok {
		c.log.Error("condition is not declared", "code", string(code))
		return
	}
	c.mu.Lock()
	if c.asRoot {
		next.Hint = condition.AsRoot(next.Hint)
	}
	before, held := c.active[code]
	if held {
		next.Since = before.Since
	}
	c.active[code] = next
	listeners := c.onChange
	c.mu.Unlock()
	if !held {
		c.log.Log(context.Background(), level(next.Severity), "condition began", "code", string(code), "detail", detail)
		call(listeners)
	}
}

// Has reports whether a condition holds.
func (c *Conditions) Has(code condition.Code) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, ok := c.active[code]
	return ok
}

// Active lists the conditions that hold, in the order of Declared.
func (c *Conditions) Active() []Active {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := make([]Active, 0, len(c.active))
	for _, d := range condition.Declared() {
		if a, ok := c.active[d.Code]; ok {
			out = append(out, a)
		}
	}
	return out
}

// Unsaid lists the errors that hold, follow from no other condition, and are not part of the
// line for the state: they are added to that line.
func (c *Conditions) Unsaid(state words.State) []Active {
	all := c.Active()
	held := make([]string, len(all))
	for i, a := range all {
		held[i] = string(a.Code)
	}
	causes := condition.Causes(held)
	return slices.DeleteFunc(all, func(a Active) bool {
		_, follows := causes[string(a.Code)]
		return follows || a.Severity != condition.Error || slices.Contains(told(state), a.Code)
	})
}

// told lists the conditions that the line for a state describes completely. The line for
// offline does not say why the instance is offline, so it has none.
func told(state words.State) []condition.Code {
	if state == words.StateOffline {
		return []condition.Code{condition.OfflineTooLong}
	}
	return condition.OfState(state)
}

func (c *Conditions) describe(code condition.Code, detail, hint string) (Active, bool) {
	d, ok := condition.Of(string(code), "", c.wallet)
	if hint != "" {
		d.Hint = strings.ReplaceAll(hint, "<wallet>", c.wallet)
	}
	return Active{Declaration: d, Detail: detail, Since: c.now()}, ok
}

func call(listeners []func()) {
	for _, f := range listeners {
		f()
	}
}

func level(s condition.Severity) slog.Level {
	if s == condition.Error {
		return slog.LevelError
	}
	return slog.LevelWarn
}
