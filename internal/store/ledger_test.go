package store_test

import "math"

// underWay is the end of an attempt that has none yet.
const underWay = math.MaxInt

// attempt is one change of a slot: what was asked for, and between which moments.
type attempt struct {
	key        string   // of the session that is to be stored; empty = a delete
	from       *pairing // whose session it is; nil = nobody's
	over       bool     // a SaveOver
	before     view     // what was known when it began
	begin, end int
	acked      bool

	// since when something follows it: acknowledged, or seen by a reader until the
	// power fails; 0 = nothing does. Then no reader who starts later may see it.
	followed, passed int
}

// view is what a reader knows when it starts.
type view struct {
	at, epoch int
	highest   uint64
}

// ledger is the model of one slot. A reader may see any attempt that nothing follows:
// a change follows another one that had ended before it began. So calls of two
// processes may overlap, and one that failed or crashed may show, but not after a
// later one was acknowledged or seen.
type ledger struct {
	now      int
	attempts []*attempt
	present  *attempt // the last one that was acknowledged or seen

	epoch    int // a pending slot that was removed begins again with generation 1
	highest  uint64
	ackedGen uint64
	seen     map[uint64]string // generation -> key

	noGenerations bool // of a subject that has none
}

// newLedger begins with a slot that was never saved.
func newLedger() *ledger {
	never := &attempt{acked: true}
	return &ledger{attempts: []*attempt{never}, present: never, seen: map[uint64]string{}}
}

func (l *ledger) tick() int { l.now++; return l.now }

func (l *ledger) look() view { return view{at: l.tick(), epoch: l.epoch, highest: l.highest} }

func (l *ledger) begin(key string, from *pairing) *attempt {
	before := l.look()
	a := &attempt{key: key, from: from, before: before, begin: before.at, end: underWay}
	l.attempts = append(l.attempts, a)
	return a
}

// beginRemoval of a whole slot, generations and all.
func (l *ledger) beginRemoval() *attempt {
	l.restart()
	return l.begin("", nil)
}

func (l *ledger) restart() {
	l.epoch++
	l.highest, l.ackedGen, l.seen = 0, 0, map[uint64]string{}
}

func (l *ledger) fail(a *attempt) { a.end = l.tick() }

func (l *ledger) ackSave(t fatal, a *attempt, generation uint64) {
	if !l.noGenerations && l.epoch == a.before.epoch && generation <= a.before.highest {
		t.Fatalf("STALE: saved as generation %d after %d", generation, a.before.highest)
	}
	l.note(t, generation, a.key, a.before)
	l.ack(a, generation)
}

func (l *ledger) ackDelete(a *attempt) { l.ack(a, a.before.highest) }

func (l *ledger) ack(a *attempt, generation uint64) {
	l.fail(a)
	a.acked, l.present = true, a
	l.ackedGen = max(l.ackedGen, generation)
	l.follow(a.begin)
}

// follow: something durable happened at that moment or later.
func (l *ledger) follow(begin int) {
	for _, w := range l.attempts {
		if w.end < begin && w.followed == 0 {
			w.followed = l.tick()
		}
	}
}

// note checks that generations never go down and name one session each.
func (l *ledger) note(t fatal, generation uint64, key string, before view) {
	if l.noGenerations || l.epoch != before.epoch {
		return
	}
	if generation < before.highest {
		t.Fatalf("STALE: generation %d after %d", generation, before.highest)
	}
	if known, ok := l.seen[generation]; ok && known != key {
		t.Fatalf("FORKED: generation %d names two sessions", generation)
	}
	l.highest, l.seen[generation] = max(l.highest, generation), key
}

// find is the first attempt that a reader with this view may see as key.
func (l *ledger) find(key string, before view) *attempt {
	since := func(moment int) bool { return moment != 0 && moment <= before.at }
	for _, a := range l.attempts {
		if a.key == key && !since(a.followed) && !since(a.passed) {
			return a
		}
	}
	return nil
}

// saw puts what a reader saw in order: after all that had ended before it began, and
// after all acknowledged that had ended before the reader looked.
func (l *ledger) saw(x *attempt, before view) {
	for _, w := range l.attempts {
		inOrder := w.acked && w.end < before.at
		if w.key == x.key || w.end >= x.begin && !inOrder {
			continue
		}
		if w.passed == 0 {
			w.passed = l.tick()
		}
		if inOrder && x.acked && w.followed == 0 {
			w.followed = l.tick()
		}
	}
	l.present = x
}

func (l *ledger) sawSession(t fatal, key string, generation uint64, before view) *attempt {
	x := l.find(key, before)
	if x == nil {
		if l.present.key == "" && l.present.begin > 0 {
			t.Fatalf("RESURRECTED: a session that was deleted, generation %d", generation)
		}
		t.Fatalf("STALE: an older session came back, generation %d", generation)
	}
	l.note(t, generation, key, before)
	l.saw(x, before)
	return x
}

func (l *ledger) sawNothing(t fatal, before view) {
	x := l.find("", before)
	if x == nil {
		t.Fatalf("LOST: no session after an acknowledged save")
	}
	l.saw(x, before)
}

// powerCut: readers start anew; only what was acknowledged binds.
func (l *ledger) powerCut() {
	for _, a := range l.attempts {
		a.passed = 0
		if a.acked && a.begin > l.present.begin || !l.present.acked && a.acked {
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
