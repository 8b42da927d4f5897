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
)

// subject is what the machine drives: the Store, or the naive one that must fail.
type subject interface {
	Save(context.Context, session.ID, session.Session) (store.Info, error)
	Load(context.Context, session.ID) (session.Session, store.Info, error)
	Delete(context.Context, session.ID) error
	ReconcileSlot(context.Context, session.ID) error
}

// maker starts the program under test in a process of its own.
type maker func(m *machine, p *storetest.Process) subject

// attempt is one Save or Delete, in order. What the slot may show is the last
// acknowledged one or any later one.
type attempt struct {
	token   string // empty = a delete
	deleted bool
}

// machine runs random histories of two processes on one disk and one keychain, and
// keeps the model that invariants 1 to 6, 9 and 10 are checked against.
type machine struct {
	make   maker
	mode   store.Mode
	disk   *storetest.Disk
	ring   *storetest.Ring
	procs  [2]*storetest.Process
	subs   [2]subject
	id     session.ID
	wallet wallet.Wallet
	clock  time.Time
	boot   int

	attempts []attempt
	acked    int // index of the last acknowledged attempt, -1 = none
	floor    int // the same, or what a reader of this boot has seen since
	highest  uint64
	ackedGen uint64
	seen     map[uint64]string // generation -> token

	noGenerations bool // of a subject that has none
}

func newMachine(mode store.Mode, make maker) *machine {
	w := wallet.New()
	m := &machine{
		make: make, mode: mode, ring: storetest.NewRing(), wallet: w, id: session.DaemonID(w),
		clock: time.Unix(1_700_000_000, 0), acked: -1, floor: -1, seen: map[uint64]string{},
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
}

// fatal is how rapid and testing both stop a test.
type fatal interface {
	Fatalf(format string, args ...any)
}

func (m *machine) save(t fatal, i int) error {
	v := newSession(m.wallet)
	m.attempts = append(m.attempts, attempt{token: v.Token.Reveal()})
	info, err := m.subs[i].Save(context.Background(), m.id, v)
	if err == nil {
		m.note(t, info.Generation, v.Token.Reveal())
		m.ack(info.Generation)
	}
	m.revive(i)
	return err
}

func (m *machine) remove(i int) {
	m.attempts = append(m.attempts, attempt{deleted: true})
	err := m.subs[i].Delete(context.Background(), m.id)
	if err == nil || errors.Is(err, store.ErrInDoubt) {
		m.ack(m.highest)
	}
	m.revive(i)
}

func (m *machine) ack(generation uint64) {
	m.acked = len(m.attempts) - 1
	m.floor, m.ackedGen = m.acked, generation
}

// note checks that generations never go down and name one session each.
func (m *machine) note(t fatal, generation uint64, token string) {
	if m.noGenerations {
		return
	}
	if generation < m.highest {
		t.Fatalf("STALE: generation %d after %d", generation, m.highest)
	}
	if known, ok := m.seen[generation]; ok && known != token {
		t.Fatalf("FORKED: generation %d names two sessions", generation)
	}
	m.highest, m.seen[generation] = generation, token
}

func (m *machine) load(t fatal, i int) error {
	v, info, err := m.subs[i].Load(context.Background(), m.id)
	dead := m.procs[i].Dead()
	m.revive(i)
	switch {
	case dead:
		return nil
	case err == nil:
		m.sawSession(t, v, info)
	case errors.Is(err, store.ErrNoSession):
		m.sawNothing(t)
	case errors.Is(err, store.ErrInconsistent) && m.ring.Healthy():
		t.Fatalf("LOST: %v", err)
	}
	return err
}

func (m *machine) sawSession(t fatal, v session.Session, info store.Info) {
	token := v.Token.Reveal()
	for at := max(m.floor, 0); at < len(m.attempts); at++ {
		if m.attempts[at].token == token {
			m.note(t, info.Generation, token)
			m.floor = at
			return
		}
	}
	for _, a := range m.attempts {
		if a.token == token && m.floor >= 0 && m.attempts[m.floor].deleted {
			t.Fatalf("RESURRECTED: a session that was deleted, generation %d", info.Generation)
		}
	}
	t.Fatalf("STALE: an older session came back, generation %d", info.Generation)
}

func (m *machine) sawNothing(t fatal) {
	if m.floor < 0 {
		return
	}
	for at := m.floor; at < len(m.attempts); at++ {
		if m.attempts[at].deleted {
			m.floor = at
			return
		}
	}
	t.Fatalf("LOST: no session after an acknowledged save")
}

func (m *machine) reconcile(i int) {
	_ = m.subs[i].ReconcileSlot(context.Background(), m.id) // what it leaves is checked by loads
	m.revive(i)
}

// revive starts a dead process again.
func (m *machine) revive(i int) {
	if m.procs[i].Dead() {
		m.start(i)
	}
}

// powerCut: readers start anew; only what was acknowledged binds.
func (m *machine) powerCut(choose func(int) int) {
	m.disk.PowerCut(choose, m.procs[:]...)
	m.boot++
	m.ring.RestartBus()
	m.floor, m.highest = m.acked, m.ackedGen
	for generation := range m.seen {
		if generation > m.ackedGen {
			delete(m.seen, generation)
		}
	}
	m.start(0)
	m.start(1)
}

// heal makes the keychain healthy with a new provider, gives Reconcile its time,
// and then everything has to be in order.
func (m *machine) heal(t fatal) {
	m.ring.SetState(store.StateUnlocked)
	m.ring.SetFault(nil)
	m.ring.Restart()
	m.procs[0].CrashAfter(-1)
	for range 8 {
		m.clock = m.clock.Add(11 * time.Minute)
		if err := m.subs[0].ReconcileSlot(context.Background(), m.id); err != nil {
			t.Fatalf("NOT MENDED: reconcile on a healthy keychain: %v", err)
		}
	}
	if err := m.load(t, 0); err != nil && !errors.Is(err, store.ErrNoSession) {
		t.Fatalf("NOT MENDED: load on a healthy keychain: %v", err)
	}
	m.checkOneCopy(t)
	if err := m.save(t, 0); err != nil { // a store that refuses everything loses nothing
		t.Fatalf("NOT MENDED: save on a healthy keychain: %v", err)
	}
}

// checkOneCopy: settled means one copy, where the mode wants it, and no left-overs.
func (m *machine) checkOneCopy(t fatal) {
	if m.floor < 0 {
		return
	}
	token, copies := m.attempts[m.floor].token, 0
	for path, content := range m.disk.Files() {
		if strings.Contains(content, `"payload"`) && m.mode != store.ModeFile || strings.HasSuffix(path, ".tmp") {
			t.Fatalf("LEFT OVER: %s", path)
		}
		if token != "" && strings.Contains(content, token) {
			copies++
		}
	}
	// A delete cannot remove what the keychain denied to have.
	if m.mode != store.ModeFile && (token != "" || m.ring.Calls("lie") == 0) {
		copies += len(m.ring.Items())
	}
	if want := len(token) / session.TokenLength; copies != want {
		t.Fatalf("LEFT OVER: %d copies of the session, want %d", copies, want)
	}
}
