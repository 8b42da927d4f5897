package storetest

import (
	"errors"
	"fmt"
	"math"
)

// errLost: a load found no session where there must be one.
var errLost = errors.New("LOST: no session after an acknowledged save")

// underWay is the end of an attempt that has none yet.
const underWay = math.MaxInt

// Attempt is one change of a slot: what was asked for, and between which moments.
type Attempt struct {
	Key   string // of the session that is to be stored; empty = a delete
	From  string // whose session it is, in the test's own words
	Acked bool   // the caller was told that it is done

	before     View
	begin, end int

	// since when something follows it: acknowledged, or seen by a reader until the
	// power fails; 0 = nothing does. Then no reader who starts later may see it.
	followed, passed int
}

// Begin is the moment at which it was asked for; 0 for the slot that was never saved.
func (a *Attempt) Begin() int { return a.begin }

// View is what a reader knows when it starts.
type View struct {
	at, epoch int
	highest   uint64
}

// Ledger is the model of one slot. A reader may see any attempt that nothing follows:
// a change follows one that had ended before it began. So calls of several
// processes may overlap, and one that failed or crashed may show, but not after a
// later one was acknowledged or seen. Every error names a violation. Not safe for
// concurrent use.
type Ledger struct {
	// NoGenerations is for a store that has none.
	NoGenerations bool

	now      int
	attempts []*Attempt
	present  *Attempt

	epoch    int // a slot that was removed begins again with generation 1
	highest  uint64
	ackedGen uint64
	seen     map[uint64]string // generation -> key
	acked    map[uint64]bool   // those that a save returned
}

// NewLedger begins with a slot that was never saved.
func NewLedger() *Ledger {
	never := &Attempt{Acked: true}
	return &Ledger{attempts: []*Attempt{never}, present: never, seen: map[uint64]string{}, acked: map[uint64]bool{}}
}

// Now is a new moment.
func (l *Ledger) Now() int { l.now++; return l.now }

// Present is the attempt that was acknowledged or seen last.
func (l *Ledger) Present() *Attempt { return l.present }

// Highest is the highest generation that a caller was told.
func (l *Ledger) Highest() uint64 { return l.highest }

// Look begins a load.
func (l *Ledger) Look() View { return View{at: l.Now(), epoch: l.epoch, highest: l.highest} }

// Begin begins a save of key, or a delete with an empty one.
func (l *Ledger) Begin(key, from string) *Attempt {
	before := l.Look()
	a := &Attempt{Key: key, From: from, before: before, begin: before.at, end: underWay}
	l.attempts = append(l.attempts, a)
	return a
}

// BeginRemoval begins to remove the whole slot, generations and all.
func (l *Ledger) BeginRemoval() *Attempt {
	l.restart()
	return l.Begin("", "")
}

// EndRemoval ends it; done: it was acknowledged.
func (l *Ledger) EndRemoval(a *Attempt, done bool) {
	l.restart()
	if done {
		l.AckDelete(a)
	} else {
		l.Fail(a)
	}
}

func (l *Ledger) restart() {
	l.epoch++
	l.highest, l.ackedGen, l.seen, l.acked = 0, 0, map[uint64]string{}, map[uint64]bool{}
}

// Fail ends an attempt with an error, or with the end of its process: it may show.
func (l *Ledger) Fail(a *Attempt) { a.end = l.Now() }

// AckSave ends a save that returned a generation.
func (l *Ledger) AckSave(a *Attempt, generation uint64) error {
	if !l.NoGenerations && l.epoch == a.before.epoch && generation <= a.before.highest {
		return fmt.Errorf("STALE: saved as generation %d after %d", generation, a.before.highest)
	}
	if err := l.note(generation, a.Key, a.before); err != nil {
		return err
	}
	l.acked[generation] = true
	l.ack(a, generation)
	return nil
}

// AckDelete ends a delete, one in doubt included.
func (l *Ledger) AckDelete(a *Attempt) { l.ack(a, a.before.highest) }

func (l *Ledger) ack(a *Attempt, generation uint64) {
	l.Fail(a)
	a.Acked, l.present = true, a
	l.ackedGen = max(l.ackedGen, generation)
	l.Follow(a.begin)
}

// Follow says that something durable happened at that moment or later.
func (l *Ledger) Follow(begin int) {
	for _, w := range l.attempts {
		if w.end < begin && w.followed == 0 {
			w.followed = l.Now()
		}
	}
}

// ChangedBetween reports whether something acknowledged happened as a whole after that
// moment and before the attempt: a SaveOver of what was read then must be stale.
func (l *Ledger) ChangedBetween(read int, over *Attempt) bool {
	for _, w := range l.attempts {
		if w.Acked && w.begin > read && w.end < over.begin {
			return true
		}
	}
	return false
}

// SavedBetween reports whether a save returned a generation between these two.
func (l *Ledger) SavedBetween(low, high uint64) bool {
	for generation := range l.acked {
		if low < generation && generation < high {
			return true
		}
	}
	return false
}

// note checks that generations never go down and name one session each.
func (l *Ledger) note(generation uint64, key string, before View) error {
	if l.NoGenerations || l.epoch != before.epoch {
		return nil
	}
	if generation < before.highest {
		return fmt.Errorf("STALE: generation %d after %d", generation, before.highest)
	}
	if known, ok := l.seen[generation]; ok && known != key {
		return fmt.Errorf("FORKED: generation %d names two sessions", generation)
	}
	l.highest, l.seen[generation] = max(l.highest, generation), key
	return nil
}

// find is the first attempt that a reader with this view may see as key.
func (l *Ledger) find(key string, before View) *Attempt {
	since := func(moment int) bool { return moment != 0 && moment <= before.at }
	for _, a := range l.attempts {
		if a.Key == key && !since(a.followed) && !since(a.passed) {
			return a
		}
	}
	return nil
}

// saw puts what a reader saw in order: after all that had ended before it began, and
// after all acknowledged that had ended before the reader looked.
func (l *Ledger) saw(x *Attempt, before View) {
	for _, w := range l.attempts {
		inOrder := w.Acked && w.end < before.at
		if w.Key == x.Key || w.end >= x.begin && !inOrder {
			continue
		}
		if w.passed == 0 {
			w.passed = l.Now()
		}
		if inOrder && x.Acked && w.followed == 0 {
			w.followed = l.Now()
		}
	}
	l.present = x
}

// SawSession ends a load that returned a session, and gives the attempt it is of.
func (l *Ledger) SawSession(key string, generation uint64, before View) (*Attempt, error) {
	x := l.find(key, before)
	if x == nil {
		if l.present.Key == "" && l.present.begin > 0 {
			return nil, fmt.Errorf("RESURRECTED: a session that was deleted, generation %d", generation)
		}
		return nil, fmt.Errorf("STALE: an older session came back, generation %d", generation)
	}
	if err := l.note(generation, key, before); err != nil {
		return nil, err
	}
	l.saw(x, before)
	return x, nil
}

// SawNothing ends a load that returned ErrNoSession.
func (l *Ledger) SawNothing(before View) error {
	x := l.find("", before)
	if x == nil {
		return errLost
	}
	l.saw(x, before)
	return nil
}

// PowerCut lets readers start anew: only what was acknowledged binds.
func (l *Ledger) PowerCut() {
	for _, a := range l.attempts {
		a.passed = 0
		if a.Acked && (a.begin > l.present.begin || !l.present.Acked) {
			l.present = a
		}
	}
	l.highest = l.ackedGen
	for generation := range l.seen {
		if generation > l.ackedGen {
			delete(l.seen, generation)
		}
	}
}
