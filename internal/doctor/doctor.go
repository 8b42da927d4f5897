// Package doctor decides what is wrong with an installation of AgentKeys and which command corrects
// it (docs/spec/architecture.md#doctor). It gets facts and returns checks. It examines nothing
// itself, so every verdict can be tested with a table.
package doctor

import (
	"slices"

	"github.com/agentkeys/agentkeys/internal/display"
	"github.com/agentkeys/agentkeys/internal/health/condition"
)

// Status is the verdict of one check.
type Status string

// The verdicts. Warn: it works, or that cannot be told, and a person should look. Fail: the session
// cannot be used as it is, or a secret is exposed.
const (
	OK   Status = "ok"
	Warn Status = "warn"
	Fail Status = "fail"
)

func (s Status) rank() int {
	switch s {
	case OK:
		return 0
	case Warn:
		return 1
	}
	return 2
}

// Check is one line. Hint is the command that corrects it; empty if nothing is wrong or no command
// corrects it.
type Check struct {
	Name    string `json:"name"`
	Status  Status `json:"status"`
	Message string `json:"message"`
	Hint    string `json:"hint"`
}

// Report is all checks of one slot, or of the machine.
type Report struct {
	Wallet    string  `json:"wallet,omitempty"`     // of an agent's slot
	Alias     string  `json:"alias,omitempty"`      // of that agent, as its daemon tells it; empty: it has none, or none answers
	SessionID string  `json:"session_id,omitempty"` // empty: the machine
	Checks    []Check `json:"checks"`
	Worst     Status  `json:"worst"`
}

// Examine turns facts into verdicts. A check without its facts is left out, and so is a check that
// only follows from another.
func Examine(f Facts) Report {
	r := Report{Wallet: f.Wallet, SessionID: f.SessionID}
	r.Checks = fold(slices.Concat(
		f.settings(), f.memory(), f.clock(), f.keychain(), f.permissions(), f.slot(), f.disk(), f.powerCut(), f.fence(),
		f.session(), f.journal(), f.sessionAtBoot(), f.startAtBoot(), f.runsAs(), f.readers(), f.socket(), f.daemon(), f.metrics(), f.broker(),
	))
	for i, c := range r.Checks {
		r.Checks[i].Hint = f.typed(c.Hint)
	}
	r.Worst = worst(r.Checks)
	return r
}

// typed is a hint as it can be typed here: with the URL of the broker, if that is known, and
// without a sudo that root does not have.
func (f Facts) typed(hint string) string {
	if f.Broker != nil {
		hint = condition.AtBroker(hint, f.Broker.Full)
	}
	if f.NoSudo {
		hint = display.WithoutSudo(hint)
	}
	return hint
}

func worst(checks []Check) Status {
	w := OK
	for _, c := range checks {
		if c.Status.rank() > w.rank() {
			w = c.Status
		}
	}
	return w
}
