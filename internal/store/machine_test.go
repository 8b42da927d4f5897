package store_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/store"
	"github.com/agentkeys/agentkeys/internal/store/storetest"
	"github.com/agentkeys/agentkeys/internal/wallet"
	"github.com/agentkeys/agentkeys/internal/words"
)

// subject is what the machine drives: the Store, or a naive one that must fail.
type subject interface {
	Save(context.Context, session.ID, session.Session) (store.Info, error)
	SaveOver(context.Context, session.ID, uint64, session.Session) (store.Info, error)
	Load(context.Context, session.ID) (session.Session, store.Info, error)
	Delete(context.Context, session.ID) error
	Promote(ctx context.Context, pending, id session.ID, v session.Session) (store.Info, error)
	ReconcileSlot(context.Context, session.ID) error
}

// maker starts the program under test in a process of its own.
type maker func(m *machine, p *storetest.Process) subject

// machine runs random histories of two processes on one disk and one keychain: one
// wallet's slot, and the pairings that become its session. It keeps the model that
// invariants 1 to 6, 9, 10 and 13 are checked against.
type machine struct {
	make   maker
	mode   words.Mode
	disk   *storetest.Disk
	ring   *storetest.Keyring
	procs  [2]*storetest.Process
	subs   [2]subject
	held   [2]*held // what each process has loaded and works with
	id     session.ID
	wallet wallet.Wallet
	clock  time.Time
	boot   int

	slot  *storetest.Ledger
	pairs []*pairing
	codes int

	inside  bool // a step of process `other` interrupts a call
	other   int
	unnamed bool // a provider may have gone in the middle of a call
}

// held is what a daemon has read and saves over.
type held struct {
	session    session.Session
	generation uint64
	from       string // the pairing it came from; empty = none
	at         int    // since this moment of the slot's ledger
}

func newMachine(mode words.Mode, make maker) *machine {
	w := wallet.New()
	m := &machine{
		make: make, mode: mode, ring: storetest.NewKeyring(), wallet: w, id: session.DaemonID(w),
		clock: time.Unix(1_700_000_000, 0), slot: storetest.NewLedger(),
	}
	m.disk = storetest.NewDisk(func() time.Time { return m.clock })
	m.start(0)
	m.start(1)
	return m
}

// storeMaker starts the real store.
func storeMaker(m *machine, p *storetest.Process) subject {
	s, err := store.New(store.Config{
		Home: "/home/pi/.agentkeys", Mode: m.mode, Keychain: m.ring.Client(p), FS: p,
		Now:    func() time.Time { return m.clock },
		BootID: func() string { return fmt.Sprint("boot-", m.boot) },
	})
	if err != nil {
		panic(err)
	}
	return s
}

func (m *machine) start(i int) {
	m.procs[i] = m.disk.Process()
	m.subs[i] = m.make(m, m.procs[i])
	m.held[i] = nil
}

// fatal is how rapid and testing both stop a test.
type fatal interface {
	Fatalf(format string, args ...any)
}

// call runs one call of process i, which ends when it finds a lock taken: the holder
// is the other process, in the middle of a call that this one interrupts. A process
// that died starts again.
func (m *machine) call(i int, f func(context.Context, subject)) (died bool) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	process := m.procs[i]
	process.WhenBusy(cancel)
	f(ctx, m.subs[i])
	died = process.Dead()
	m.revive(i)
	return died
}

// revive starts a dead process again.
func (m *machine) revive(i int) {
	if m.procs[i].Dead() {
		m.start(i)
	}
}

func (m *machine) save(t fatal, i int) error {
	v := newSession(m.wallet)
	a := m.slot.Begin(keyOf(v), "")
	var info store.Info
	var err error
	m.call(i, func(ctx context.Context, s subject) { info, err = s.Save(ctx, m.id, v) })
	m.ended(t, a, false, info, err)
	return err
}

// ended records the end of a save of the wallet's slot.
func (m *machine) ended(t fatal, a *storetest.Attempt, over bool, info store.Info, err error) {
	if err != nil {
		m.slot.Fail(a) // one more attempt that may show
		return
	}
	check(t, m.slot.AckSave(a, info.Generation))
	m.notePairings(a, over)
}

// check stops at a violation.
func check(t fatal, err error) {
	if err != nil {
		t.Fatalf("%v", err)
	}
}

// over is a renewal: it replaces what this process read, however long ago.
func (m *machine) over(t fatal, i int) {
	if m.held[i] == nil {
		_ = m.load(t, i) // an error: there is nothing to renew
	}
	mine := m.held[i]
	if mine == nil {
		return
	}
	v := mine.session
	v.Token = session.NewToken()
	m.forgetSeen(mine.from)
	a := m.slot.Begin(keyOf(v), mine.from)
	var info store.Info
	var err error
	died := m.call(i, func(ctx context.Context, s subject) { info, err = s.SaveOver(ctx, m.id, mine.generation, v) })
	if err == nil && !m.slot.NoGenerations && m.slot.ChangedBetween(mine.at, a) {
		t.Fatalf("OVERWRITTEN: generation %d was saved over although the slot was changed since", mine.generation)
	}
	m.ended(t, a, true, info, err)
	switch {
	case died:
	case err == nil:
		m.held[i] = &held{v, info.Generation, mine.from, m.slot.Now()}
	case errors.Is(err, store.ErrStale):
		m.held[i] = nil
	}
}

func (m *machine) remove(i int) {
	a := m.slot.Begin("", "")
	var err error
	m.call(i, func(ctx context.Context, s subject) { err = s.Delete(ctx, m.id) })
	if err != nil && !errors.Is(err, store.ErrInDoubt) {
		m.slot.Fail(a)
		return
	}
	m.slot.AckDelete(a)
	m.notePairings(a, false)
}

func (m *machine) load(t fatal, i int) error {
	before, healthy := m.slot.Look(), m.ring.Healthy()
	var v session.Session
	var info store.Info
	var err error
	died := m.call(i, func(ctx context.Context, s subject) { v, info, err = s.Load(ctx, m.id) })
	switch {
	case died:
		return nil
	case err == nil:
		x, err := m.slot.SawSession(keyOf(v), info.Generation, before)
		check(t, err)
		m.noteSeen(x.From)
		if m.held[i] == nil {
			m.held[i] = &held{v, info.Generation, x.From, m.slot.Now()}
		}
	case errors.Is(err, store.ErrNoSession):
		check(t, m.slot.SawNothing(before))
	case errors.Is(err, store.ErrInconsistent) && healthy && m.ring.Healthy():
		t.Fatalf("LOST: %v", err)
	}
	return err
}

func (m *machine) reconcile(i int) {
	// What it leaves is checked by loads.
	m.call(i, func(ctx context.Context, s subject) { _ = s.ReconcileSlot(ctx, m.id) })
}

func (m *machine) powerCut(choose func(int) int) {
	m.disk.PowerCut(choose, m.procs[:]...)
	m.boot++
	m.ring.RestartBus()
	m.slot.PowerCut()
	for _, p := range m.pairs {
		p.slot.PowerCut()
		p.seenAt = 0
	}
	m.start(0)
	m.start(1)
}

// heal makes the keychain healthy with a new provider, gives Reconcile its time,
// and then everything has to be in order.
func (m *machine) heal(t fatal) {
	m.ring.SetState(words.KeychainUnlocked)
	m.ring.SetFault(nil)
	m.ring.Restart()
	if m.unnamed { // an operation whose provider is not known ends with the bus only
		m.ring.RestartBus()
		m.unnamed = false
	}
	m.procs[0].CrashAfter(-1)
	for range 8 {
		m.clock = m.clock.Add(11 * time.Minute)
		if err := m.subs[0].ReconcileSlot(context.Background(), m.id); err != nil {
			t.Fatalf("NOT RESTORED: reconcile on a healthy keychain: %v", err)
		}
	}
	if err := m.load(t, 0); err != nil && !errors.Is(err, store.ErrNoSession) {
		t.Fatalf("NOT RESTORED: load on a healthy keychain: %v", err)
	}
	for _, p := range m.pairs {
		m.loadPairing(t, 0, p)
	}
	m.checkOneCopy(t)
	if err := m.save(t, 0); err != nil { // a store that refuses everything loses nothing
		t.Fatalf("NOT RESTORED: save on a healthy keychain: %v", err)
	}
}

// checkOneCopy: after all work there is one copy, where the mode wants it, and no left-overs.
func (m *machine) checkOneCopy(t fatal) {
	if m.slot.Present().Begin() == 0 {
		return
	}
	key, copies := m.slot.Present().Key, 0
	for path, content := range m.disk.Files() {
		if m.inPending(path) {
			continue
		}
		if strings.Contains(content, `"payload"`) && m.mode != words.ModeFile || strings.HasSuffix(path, ".tmp") {
			t.Fatalf("LEFT OVER: %s", path)
		}
		if key != "" && strings.Contains(content, key) {
			copies++
		}
	}
	// A delete cannot remove what the keychain denied to have.
	if m.mode != words.ModeFile && (key != "" || m.ring.Calls("false_reply") == 0) {
		copies += len(m.ring.Items())
	}
	if want := len(key) / session.TokenLength; copies != want {
		t.Fatalf("LEFT OVER: %d copies of the session, want %d", copies, want)
	}
}
