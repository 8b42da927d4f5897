package store_test

import (
	"time"

	"github.com/agentkeys/agentkeys/internal/store"
	"github.com/agentkeys/agentkeys/internal/store/storetest"
)

// The steps of a history.
const (
	stepSave      = "save"
	stepLoad      = "load"
	stepDelete    = "delete"
	stepReconcile = "reconcile"
	stepCrash     = "crash soon"
	stepKill      = "kill"
	stepPowerCut  = "power cut"
	stepState     = "keychain state"
	stepFaults    = "keychain faults"
	stepLand      = "late write lands"
	stepRestart   = "provider restarts"
	stepHeal      = "heal"
)

// allSteps is the mixture of a history; a step twice is drawn twice as often.
func allSteps(more ...string) []string {
	return append([]string{
		stepSave, stepSave, stepSave, stepLoad, stepLoad, stepDelete, stepReconcile, stepReconcile, stepCrash, stepKill,
		stepPowerCut, stepState, stepFaults, stepFaults, stepLand, stepLand, stepRestart, stepHeal,
	}, more...)
}

// drawer gives a number below n; rapid shows the label of what it drew.
type drawer func(label string, n int) int

// run takes steps of the mixture, and looks after each.
func (m *machine) run(t fatal, steps int, mixture []string, draw drawer) {
	for range steps {
		m.act(t, mixture[draw("step", len(mixture))], draw)
		_ = m.load(t, draw("reader", 2))
	}
}

func (m *machine) act(t fatal, step string, draw drawer) {
	process := func() int { return draw("process", 2) }
	switch step {
	case stepSave:
		_ = m.save(t, process()) // an error is one more attempt that may show
	case stepLoad:
		_ = m.load(t, process())
	case stepDelete:
		m.remove(process())
	case stepReconcile:
		m.clock = m.clock.Add(time.Duration(draw("seconds", 700)) * time.Second)
		m.reconcile(process())
	case stepCrash:
		m.procs[process()].CrashAfter(draw("operations", 60))
	case stepKill:
		i := process()
		m.procs[i].Kill()
		m.revive(i)
	case stepPowerCut:
		m.powerCut(func(n int) int { return draw("choice", n) })
	case stepState:
		m.ring.SetState(states[draw("state", len(states))])
	case stepFaults:
		faults := storetest.Faults()
		script := make([]storetest.Fault, 1+draw("faults", 4))
		for i := range script {
			script[i] = faults[draw("fault", len(faults))]
		}
		m.ring.SetFault(inTurn(draw("after calls", 3), script))
	case stepLand:
		if n := m.ring.Late(); n > 0 {
			m.ring.Land(draw("which", n))
		}
	case stepRestart:
		m.ring.Restart()
	case stepHeal:
		m.heal(t)
	}
}

// states are drawn for the keychain; a healthy one is the most frequent.
var states = []store.KeychainState{
	store.StateUnlocked, store.StateUnlocked, store.StateUnlocked, store.StateUnlocked, store.StateLocked,
	store.StateNoOwner, store.StateNoBus, store.StateHung, store.StatePromptsOnWrite,
}

// inTurn lets some calls pass and then fails the next ones.
func inTurn(skip int, faults []storetest.Fault) func(storetest.Operation) storetest.Fault {
	return func(storetest.Operation) storetest.Fault {
		if skip > 0 {
			skip--
			return storetest.FaultNone
		}
		if len(faults) == 0 {
			return storetest.FaultNone
		}
		f := faults[0]
		faults = faults[1:]
		return f
	}
}
