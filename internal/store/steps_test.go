package store_test

import (
	"slices"
	"time"

	"github.com/agentkeys/agentkeys/internal/store/storetest"
	"github.com/agentkeys/agentkeys/internal/words"
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
	stepLate      = "late operation is done"
	stepRestart   = "provider restarts"
	stepHeal      = "heal"

	stepOver      = "over"
	stepPair      = "pair"
	stepAgain     = "pair again"
	stepPromote   = "promote"
	stepDrop      = "drop pairing"
	stepCollect   = "collect pairing"
	stepInterrupt = "interrupted call" // one step of a process during a call of the other
)

// slotSteps are about the slot of one wallet alone. A step that is there twice is drawn twice as often.
// The seeds of earlier failures are of this mixture: it stays as it is.
func slotSteps() []string {
	return []string{
		stepSave, stepSave, stepSave, stepLoad, stepLoad, stepDelete, stepReconcile, stepReconcile, stepCrash, stepKill,
		stepPowerCut, stepState, stepFaults, stepFaults, stepLate, stepLate, stepRestart, stepHeal,
	}
}

// allSteps is the mixture of a history.
func allSteps(more ...string) []string {
	return slices.Concat(slotSteps(), []string{
		stepOver, stepOver, stepPair, stepPair, stepAgain, stepPromote, stepPromote, stepPromote, stepDrop, stepCollect,
		stepCrash, stepInterrupt, stepInterrupt, stepInterrupt,
	}, more)
}

// interrupted are the calls that another process's step may interrupt, and
// interruptions those steps. The ones that are no calls happen to the keychain.
func interrupted() []string {
	return []string{stepSave, stepOver, stepLoad, stepDelete, stepReconcile, stepPair, stepAgain, stepPromote, stepPromote, stepPromote}
}

func interruptions() []string {
	return []string{
		stepSave, stepOver, stepLoad, stepDelete, stepDelete, stepReconcile, stepPair, stepPromote, stepPromote, stepPromote,
		stepDrop, stepState, stepLate, stepRestart,
	}
}

// drawer gives a number below n; rapid shows the label of what it drew.
type drawer func(label string, n int) int

// run takes steps of the mixture, and loads after each.
func (m *machine) run(t fatal, steps int, mixture []string, draw drawer) {
	for range steps {
		m.act(t, mixture[draw("step", len(mixture))], draw)
		_ = m.load(t, draw("reader", 2))
		if n := len(m.pairs); n > 0 {
			m.loadPairing(t, draw("reader", 2), m.pairs[draw("pairing", n)])
		}
	}
}

func (m *machine) act(t fatal, step string, draw drawer) {
	process := func() int {
		if m.inside {
			return m.other
		}
		return draw("process", 2)
	}
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
		m.unnamed = m.unnamed || m.inside
	case stepFaults:
		faults := storetest.Faults()
		script := make([]storetest.Fault, 1+draw("faults", 4))
		for i := range script {
			script[i] = faults[draw("fault", len(faults))]
		}
		m.ring.SetFault(inTurn(draw("after calls", 3), script))
	case stepLate:
		if n := m.ring.Late(); n > 0 {
			m.ring.ApplyLate(draw("which", n))
		}
	case stepRestart:
		m.ring.Restart()
	case stepHeal:
		m.heal(t)
	case stepInterrupt:
		m.interruptCall(t, process(), draw)
	default:
		m.actPairing(t, step, process(), draw)
	}
}

// actPairing takes the steps that there are since a slot can be promoted.
func (m *machine) actPairing(t fatal, step string, i int, draw drawer) {
	if step == stepOver {
		m.over(t, i)
		return
	}
	if len(m.pairs) == 0 || step == stepPair && len(m.pairs) < maxPairings {
		m.pair(t, i)
		return
	}
	p := m.pairs[draw("pairing", len(m.pairs))]
	switch step {
	case stepPair, stepAgain:
		m.savePending(t, i, p)
		m.reconcilePairing(i, p)
	case stepPromote:
		m.promote(t, i, p)
	case stepDrop:
		m.drop(i, p)
	case stepCollect:
		m.collect(t, i, p)
	}
}

// interruptCall lets the other process take a step in the middle of a call of process i.
func (m *machine) interruptCall(t fatal, i int, draw drawer) {
	process := m.procs[i]
	process.Interrupt(draw("operations", 60), func() {
		m.inside, m.other = true, 1-i
		m.act(t, interruptions()[draw("step", len(interruptions()))], draw)
		_ = m.load(t, m.other)
		m.inside = false
	})
	step := interrupted()[draw("step", len(interrupted()))]
	m.act(t, step, func(label string, n int) int {
		if label == "process" {
			return i
		}
		return draw(label, n)
	})
	process.Interrupt(0, nil)
}

// states are drawn for the keychain; a healthy one is the most frequent.
var states = []words.KeychainState{
	words.KeychainUnlocked, words.KeychainUnlocked, words.KeychainUnlocked, words.KeychainUnlocked, words.KeychainLocked,
	words.KeychainNoOwner, words.KeychainNoBus, words.KeychainHung, words.KeychainPromptsOnWrite,
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
