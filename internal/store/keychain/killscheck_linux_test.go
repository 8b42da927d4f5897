package keychain_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/store/storetest"
)

// What the test does with pending slots. The worker knows these as save, load and delete.
const (
	doPair = "pair"
	doLook = "look"
	doDrop = "drop"
)

// openPairings is how many of the newest are promoted, dropped and looked at: while one
// is among them at most six others are taken, and a slot remembers the last eight.
const openPairings = 4

const journalLines = 400

// killPairing is a pending slot and what is known of its promotion.
type killPairing struct {
	id    session.ID
	token string
	slot  *storetest.Ledger

	answered bool // its save has ended
	saved    bool // acknowledged
	dropped  bool // a delete of it has begun
	first    int  // moment of the wallet's ledger at which its first promotion began; 0 = none
	calls    int  // promotions that began
	taken    bool // for good: from now on a promotion saves nothing
}

// errand is one command under way.
type errand struct {
	word, text string
	pairing    *killPairing // nil unless it is about a pending slot
	saved      bool         // that one was saved by then, and not dropped
	change     *storetest.Attempt
	removal    *storetest.Attempt // of the pending slot
	before     storetest.View
}

// do gives one command, for some pairing if it is about one; where there is none yet
// it is a load.
func (k *killTest) do(w *worker, word string) (r reply, answered bool) {
	return k.give(w, func() errand {
		p := k.pick(word)
		if p == nil && slices.Contains([]string{doPair, doPromote, doLook, doDrop}, word) {
			return k.send(doLoad, nil)
		}
		return k.send(word, p)
	})
}

// doFor is do for one pairing.
func (k *killTest) doFor(w *worker, word string, p *killPairing) (r reply, answered bool) {
	return k.give(w, func() errand { return k.send(word, p) })
}

// give checks the answer by what was known when the command was given.
func (k *killTest) give(w *worker, send func() errand) (r reply, answered bool) {
	k.mu.Lock()
	e := send()
	k.asked[e.word]++
	k.write("%d asks %s", w.cmd.Process.Pid, e.text)
	k.mu.Unlock()
	r, answered = w.ask(e.text)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.asked[e.word]--
	k.write("%d says %v %+v", w.cmd.Process.Pid, answered, r)
	if answered {
		k.answers[e.word+" "+r.Failure]++
	} else {
		r.Failure = "killed"
	}
	if err := k.check(e, r); err != nil {
		k.t.Errorf("%s: %v\n%s", e.text, err, strings.Join(k.journal, "\n"))
	}
	return r, answered
}

// write keeps the last lines of what was said, for the message of a check that fails.
func (k *killTest) write(format string, values ...any) {
	k.journal = append(k.journal, fmt.Sprintf(format, values...))
	k.journal = k.journal[max(0, len(k.journal)-journalLines):]
}

// send begins a command.
func (k *killTest) send(word string, p *killPairing) errand {
	e := errand{word: word, pairing: p, before: k.slot.Look()}
	slot, command, token := account, word, ""
	if p != nil {
		slot, e.before, e.saved = p.id.String(), p.slot.Look(), p.saved && !p.dropped
	}
	switch word {
	case doSave, doOver:
		token = session.NewToken().Reveal()
		e.change = k.slot.Begin(token, "")
	case doDelete:
		e.change = k.slot.Begin("", "")
	case doPair:
		command, token = doSave, p.token
		e.change = p.slot.Begin(p.token, "")
	case doPromote:
		token = p.token
		k.sendPromote(&e)
	case doLook:
		command = doLoad
	case doDrop:
		command, p.dropped = doDelete, true
		e.removal = p.slot.BeginRemoval()
	}
	e.text = strings.TrimSpace(command + " " + slot + " " + token)
	return e
}

func (k *killTest) sendPromote(e *errand) {
	p := e.pairing
	p.calls++
	if !p.taken {
		e.change = k.slot.Begin(p.token, "")
	}
	if p.first == 0 {
		p.first = e.change.Begin()
	}
	e.removal = p.slot.BeginRemoval()
}

// pick makes a pairing or takes one of the newest; nil if there is none or the command
// is about none. While one is promoted none is made: it stays among the newest.
func (k *killTest) pick(word string) *killPairing {
	switch word {
	case doPair:
		if k.asked[doPromote] > 0 {
			return nil
		}
		k.pairs = append(k.pairs, &killPairing{
			id: session.NewPendingID(), token: session.NewToken().Reveal(), slot: storetest.NewLedger(),
		})
		return k.pairs[len(k.pairs)-1]
	case doPromote, doLook, doDrop:
	default:
		return nil
	}
	var open []*killPairing // a slot whose save has no answer yet is not used
	for _, p := range k.pairs[max(0, len(k.pairs)-openPairings):] {
		if p.answered {
			open = append(open, p)
		}
	}
	if len(open) == 0 {
		return nil
	}
	return open[rand.IntN(len(open))]
}

// check holds an answer against all others.
func (k *killTest) check(e errand, r reply) error {
	switch r.Failure {
	case "", "killed", "no_session", "unavailable", "busy", "stale", "in_doubt":
	default: // inconsistent: LOST; and what the disk may never do
		return fmt.Errorf("%s", r.Text)
	}
	switch e.word {
	case doSave:
		return k.checkSave(e, r)
	case doOver:
		return k.checkOver(e, r)
	case doDelete:
		if r.Failure == "" || r.Failure == "in_doubt" {
			k.slot.AckDelete(e.change)
		} else {
			k.slot.Fail(e.change)
		}
		return nil
	case doPair:
		return k.checkPair(e, r)
	case doPromote:
		return k.checkPromote(e, r)
	case doDrop:
		e.pairing.slot.EndRemoval(e.removal, r.Failure == "")
		return nil
	case doLook:
		return k.checkLook(e, r)
	}
	return k.checkLoad(e, r)
}

func (k *killTest) checkSave(e errand, r reply) error {
	if r.Failure != "" {
		k.slot.Fail(e.change)
		return nil
	}
	k.backend[r.Generation] = r.Backend
	return k.slot.AckSave(e.change, r.Generation)
}

// checkOver: what it had read is what it replaced.
func (k *killTest) checkOver(e errand, r reply) error {
	if r.Failure == "" && k.slot.SavedBetween(r.Over, r.Generation) {
		return fmt.Errorf("OVERWRITTEN: generation %d saved over %d, another was between", r.Generation, r.Over)
	}
	if err := k.checkSave(e, r); err != nil || r.Failure != "no_session" {
		return err
	}
	return k.slot.SawNothing(e.before)
}

func (k *killTest) checkLoad(e errand, r reply) error {
	switch r.Failure {
	case "":
		k.backend[r.Generation] = r.Backend
		_, err := k.slot.SawSession(r.Token, r.Generation, e.before)
		return err
	case "no_session":
		return k.slot.SawNothing(e.before)
	}
	return nil
}

func (k *killTest) checkPair(e errand, r reply) error {
	e.pairing.answered = true
	if r.Failure != "" {
		e.pairing.slot.Fail(e.change)
		return nil
	}
	e.pairing.saved = true
	return e.pairing.slot.AckSave(e.change, r.Generation)
}

// checkPromote: of several promotions of one pairing any may have been the one.
func (k *killTest) checkPromote(e errand, r reply) error {
	p := e.pairing
	nothing := r.Failure == "no_session"
	p.slot.EndRemoval(e.removal, r.Failure == "" || nothing)
	switch {
	case e.change == nil:
	case r.Failure == "" && p.calls == 1:
		if err := k.checkSave(e, r); err != nil {
			return err
		}
	case nothing && p.calls == 1 && e.saved:
		return fmt.Errorf("LOST: a promotion that is not a repeated one found a slot that was deleted since")
	default:
		k.slot.Fail(e.change)
	}
	if r.Failure == "" || nothing && e.saved {
		k.tookEffect(p)
	}
	return nil
}

func (k *killTest) tookEffect(p *killPairing) {
	p.taken = true
	k.slot.Follow(p.first)
}

func (k *killTest) checkLook(e errand, r reply) error {
	p := e.pairing
	switch r.Failure {
	case "":
		_, err := p.slot.SawSession(r.Token, r.Generation, e.before)
		return err
	case "no_session":
		if err := p.slot.SawNothing(e.before); err != nil {
			return err
		}
		if e.saved && !p.dropped && p.first != 0 {
			k.tookEffect(p)
		}
	case "killed", "busy":
	default:
		return fmt.Errorf("LOST: a pending slot cannot be read: %s", r.Text)
	}
	return nil
}
