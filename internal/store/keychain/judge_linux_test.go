package keychain_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/store/storetest"
)

// What the fire does with pending slots; the worker knows these as save, load, delete.
const (
	doPair = "pair"
	doLook = "look"
	doDrop = "drop"
)

// openPairings is how many of the newest are promoted, dropped and looked at: while one
// is among them at most six others are taken, and a slot remembers the last eight.
const openPairings = 4

const journalLines = 400

// firePairing is a pending slot and what is known of its promotion.
type firePairing struct {
	id    session.ID
	token string
	slot  *storetest.Ledger

	answered bool // its save has ended
	saved    bool // acknowledged
	dropped  bool // somebody began to delete it
	first    int  // moment of the wallet's ledger at which its first promotion began; 0 = none
	calls    int  // promotions that began
	taken    bool // for good: from now on a promotion saves nothing
}

// errand is one command under way.
type errand struct {
	word, text string
	pairing    *firePairing // nil unless it is about a pending slot
	saved      bool         // that one was by then, and nobody dropped it
	change     *storetest.Attempt
	removal    *storetest.Attempt // of the pending slot
	before     storetest.View
}

// do gives one command, for some pairing if it is about one; where there is none yet
// it is a load.
func (f *fire) do(w *worker, word string) (r reply, answered bool) {
	return f.give(w, func() errand {
		p := f.pick(word)
		if p == nil && slices.Contains([]string{doPair, doPromote, doLook, doDrop}, word) {
			return f.send(doLoad, nil)
		}
		return f.send(word, p)
	})
}

// doFor is do for one pairing.
func (f *fire) doFor(w *worker, word string, p *firePairing) (r reply, answered bool) {
	return f.give(w, func() errand { return f.send(word, p) })
}

// give judges the answer by what was known when the command was given.
func (f *fire) give(w *worker, send func() errand) (r reply, answered bool) {
	f.mu.Lock()
	e := send()
	f.asked[e.word]++
	f.write("%d asks %s", w.cmd.Process.Pid, e.text)
	f.mu.Unlock()
	r, answered = w.ask(e.text)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked[e.word]--
	f.write("%d says %v %+v", w.cmd.Process.Pid, answered, r)
	if answered {
		f.answers[e.word+" "+r.Failure]++
	} else {
		r.Failure = "killed"
	}
	if err := f.judge(e, r); err != nil {
		f.t.Errorf("%s: %v\n%s", e.text, err, strings.Join(f.journal, "\n"))
	}
	return r, answered
}

// write keeps the last lines of what was said, for the day on which a judge is not content.
func (f *fire) write(format string, values ...any) {
	f.journal = append(f.journal, fmt.Sprintf(format, values...))
	f.journal = f.journal[max(0, len(f.journal)-journalLines):]
}

// send begins a command.
func (f *fire) send(word string, p *firePairing) errand {
	e := errand{word: word, pairing: p, before: f.slot.Look()}
	slot, command, token := account, word, ""
	if p != nil {
		slot, e.before, e.saved = p.id.String(), p.slot.Look(), p.saved && !p.dropped
	}
	switch word {
	case doSave, doOver:
		token = session.NewToken().Reveal()
		e.change = f.slot.Begin(token, "")
	case doDelete:
		e.change = f.slot.Begin("", "")
	case doPair:
		command, token = doSave, p.token
		e.change = p.slot.Begin(p.token, "")
	case doPromote:
		token = p.token
		f.sendPromote(&e)
	case doLook:
		command = doLoad
	case doDrop:
		command, p.dropped = doDelete, true
		e.removal = p.slot.BeginRemoval()
	}
	e.text = strings.TrimSpace(command + " " + slot + " " + token)
	return e
}

func (f *fire) sendPromote(e *errand) {
	p := e.pairing
	p.calls++
	if !p.taken {
		e.change = f.slot.Begin(p.token, "")
	}
	if p.first == 0 {
		p.first = e.change.Begin()
	}
	e.removal = p.slot.BeginRemoval()
}

// pick makes a pairing or takes one of the newest; nil if there is none or the command
// is about none. While one is promoted none is made: it stays among the newest.
func (f *fire) pick(word string) *firePairing {
	switch word {
	case doPair:
		if f.asked[doPromote] > 0 {
			return nil
		}
		f.pairs = append(f.pairs, &firePairing{
			id: session.NewPendingID(), token: session.NewToken().Reveal(), slot: storetest.NewLedger(),
		})
		return f.pairs[len(f.pairs)-1]
	case doPromote, doLook, doDrop:
	default:
		return nil
	}
	var open []*firePairing // nobody goes on with a slot whose save has no answer yet
	for _, p := range f.pairs[max(0, len(f.pairs)-openPairings):] {
		if p.answered {
			open = append(open, p)
		}
	}
	if len(open) == 0 {
		return nil
	}
	return open[rand.IntN(len(open))]
}

// judge holds an answer against all others.
func (f *fire) judge(e errand, r reply) error {
	switch r.Failure {
	case "", "killed", "no_session", "unavailable", "busy", "stale", "in_doubt":
	default: // inconsistent: LOST; and what the disk may never do
		return fmt.Errorf("%s", r.Text)
	}
	switch e.word {
	case doSave:
		return f.judgeSave(e, r)
	case doOver:
		return f.judgeOver(e, r)
	case doDelete:
		if r.Failure == "" || r.Failure == "in_doubt" {
			f.slot.AckDelete(e.change)
		} else {
			f.slot.Fail(e.change)
		}
		return nil
	case doPair:
		return f.judgePair(e, r)
	case doPromote:
		return f.judgePromote(e, r)
	case doDrop:
		e.pairing.slot.EndRemoval(e.removal, r.Failure == "")
		return nil
	case doLook:
		return f.judgeLook(e, r)
	}
	return f.judgeLoad(e, r)
}

func (f *fire) judgeSave(e errand, r reply) error {
	if r.Failure != "" {
		f.slot.Fail(e.change)
		return nil
	}
	f.backend[r.Generation] = r.Backend
	return f.slot.AckSave(e.change, r.Generation)
}

// judgeOver: what it had read is what it replaced.
func (f *fire) judgeOver(e errand, r reply) error {
	if r.Failure == "" && f.slot.SavedBetween(r.Over, r.Generation) {
		return fmt.Errorf("OVERWRITTEN: generation %d saved over %d, another was between", r.Generation, r.Over)
	}
	if err := f.judgeSave(e, r); err != nil || r.Failure != "no_session" {
		return err
	}
	return f.slot.SawNothing(e.before)
}

func (f *fire) judgeLoad(e errand, r reply) error {
	switch r.Failure {
	case "":
		f.backend[r.Generation] = r.Backend
		_, err := f.slot.SawSession(r.Token, r.Generation, e.before)
		return err
	case "no_session":
		return f.slot.SawNothing(e.before)
	}
	return nil
}

func (f *fire) judgePair(e errand, r reply) error {
	e.pairing.answered = true
	if r.Failure != "" {
		e.pairing.slot.Fail(e.change)
		return nil
	}
	e.pairing.saved = true
	return e.pairing.slot.AckSave(e.change, r.Generation)
}

// judgePromote: of several promotions of one pairing any may have been the one.
func (f *fire) judgePromote(e errand, r reply) error {
	p := e.pairing
	nothing := r.Failure == "no_session"
	p.slot.EndRemoval(e.removal, r.Failure == "" || nothing)
	switch {
	case e.change == nil:
	case r.Failure == "" && p.calls == 1:
		if err := f.judgeSave(e, r); err != nil {
			return err
		}
	case nothing && p.calls == 1 && e.saved:
		return fmt.Errorf("LOST: a promotion that is not a repeated one found a slot that was deleted since")
	default:
		f.slot.Fail(e.change)
	}
	if r.Failure == "" || nothing && e.saved {
		f.tookEffect(p)
	}
	return nil
}

func (f *fire) tookEffect(p *firePairing) {
	p.taken = true
	f.slot.Follow(p.first)
}

func (f *fire) judgeLook(e errand, r reply) error {
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
			f.tookEffect(p)
		}
	case "killed", "busy":
	default:
		return fmt.Errorf("LOST: a pending slot cannot be read: %s", r.Text)
	}
	return nil
}
