package keychain_test

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	dbus "github.com/godbus/dbus/v5"

	"github.com/agentkeys/agentkeys/internal/store"
	"github.com/agentkeys/agentkeys/internal/store/keychain/keyringtest"
	"github.com/agentkeys/agentkeys/internal/store/storetest"
)

// killsVariable is how often TestMigrationUnderFire kills a process.
const killsVariable = "AGENTKEYS_FIRE_KILLS"

// fire is two processes on one slot and one real keyring, and what they have said.
type fire struct {
	t       *testing.T
	random  *rand.Rand
	bus     *keyringtest.Bus
	ring    *keyringtest.GnomeKeyring
	locked  bool
	user    string // HOME
	home    string // AGENTKEYS_HOME
	workers [2]*worker
	timeout time.Duration // of one of their keychain operations

	mu      sync.Mutex
	slot    *storetest.Ledger
	pairs   []*firePairing
	backend map[uint64]store.Backend
	answers map[string]int
	asked   map[string]int // commands under way
	journal []string
	cutOff  int // commands that a kill interrupted
}

// TestMigrationUnderFire: two processes save, renew, load, reconcile and delete one
// session and promote pairings to it while the keyring is locked, frozen and killed,
// and one of the two is killed -9 at a random moment of each round. Nothing that was
// acknowledged is lost, nothing deleted comes back, no generation names two sessions,
// none that anybody was told goes down, and a pairing fills the slot once.
func TestMigrationUnderFire(t *testing.T) {
	t.Parallel()
	kills := 15
	if text := os.Getenv(killsVariable); text != "" {
		var err error
		if kills, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	f := &fire{
		t: t, random: rand.New(rand.NewPCG(seed, 0)), user: keyringtest.Dir(t),
		slot: storetest.NewLedger(), backend: map[uint64]store.Backend{},
		answers: map[string]int{}, asked: map[string]int{}, timeout: patient,
	}
	f.home = filepath.Join(f.user, ".agentkeys")
	f.login()
	defer f.stop()
	begin := time.Now()
	f.do(f.workers[0], doSave)
	save := time.Since(begin)
	f.stop()
	f.timeout = max(500*time.Millisecond, 4*save) // short, so that many of them are missed
	f.start(0)
	f.start(1)
	for round := range kills {
		if round%10 == 9 {
			f.logout()
			f.login()
		}
		f.round(save)
	}
	f.settle()
	up, down := f.moves()
	t.Logf("%d kills, %d in the middle of a command; %d generations, %d pairings, %d moves to the keychain, %d to the file; answers %v",
		kills, f.cutOff, f.slot.Highest(), len(f.pairs), up, down, f.answers)
	if kills >= 100 && (up < kills/50 || down < kills/50 || f.cutOff < kills*9/10) {
		t.Error("too little happened: this run proves nothing")
	}
}

// login starts a session of the desktop. A write in doubt whose provider was gone
// when it was looked for is over only with the bus that it was sent on.
func (f *fire) login() {
	f.bus = keyringtest.NewBus(f.t, "")
	f.ring = keyringtest.StartGnomeKeyring(f.t, f.bus.Address, f.user, keyringtest.Unlocked)
	f.locked = false
	f.start(0)
	f.start(1)
}

func (f *fire) logout() {
	f.stop()
	f.ring.Kill()
	f.bus.Kill()
}

func (f *fire) start(i int) {
	f.workers[i] = startWorker(f.t, keyringtest.Env(f.ring.Address, f.ring.Home), f.home, f.timeout)
}

func (f *fire) stop() {
	for _, w := range f.workers {
		w.kill()
		w.end()
	}
}

// round keeps both workers busy, changes the weather and kills one of them.
func (f *fire) round(save time.Duration) {
	over := make(chan struct{})
	victim := f.random.IntN(2)
	var busy sync.WaitGroup
	for i, w := range f.workers {
		busy.Go(func() {
			if died := f.drive(w, over); died && i != victim {
				f.t.Errorf("a worker that nobody killed is dead: %s", w.errors.String())
			}
		})
	}
	f.weather()
	f.moment(save * 3 / 2)
	f.workers[victim].kill()
	close(over)
	busy.Wait()
	f.workers[victim].end()
	f.start(victim)
	f.do(f.workers[1-victim], doLoad)
	f.do(f.workers[1-victim], doLook)
	if f.t.Failed() {
		f.t.FailNow()
	}
}

// drive gives a worker one command after the other until it is dead or the round is over.
func (f *fire) drive(w *worker, over <-chan struct{}) (died bool) {
	words := []string{
		doSave, doSave, doSave, doOver, doOver, doOver, doReconcile, doReconcile, doReconcile, doLoad, doDelete,
		doPair, doPromote, doPromote, doLook,
	}
	for {
		select {
		case <-over:
			return false
		default:
		}
		if _, answered := f.do(w, words[rand.IntN(len(words))]); !answered {
			f.mu.Lock()
			f.cutOff++
			f.mu.Unlock()
			return true
		}
	}
}

// weather is what happens to the keyring while the workers work.
func (f *fire) weather() {
	if f.ring.Ended() {
		f.t.Logf("the keyring ended by itself: %s", f.ring.Outcome())
		f.restart()
	}
	switch n := f.random.IntN(20); {
	case f.locked && n < 10:
		f.ring.Unlock()
		f.locked = false
	case n < 2 && !f.locked:
		f.ring.Lock()
		f.locked = true
	case n < 6: // frozen beyond the workers' deadlines or not: what was sent lands late
		f.moment(60 * time.Millisecond)
		f.ring.Stop()
		f.moment(f.timeout * 7 / 5)
		f.ring.Continue()
	case n < 9:
		f.moment(60 * time.Millisecond)
		f.restart()
	}
}

func (f *fire) moment(longest time.Duration) {
	time.Sleep(time.Duration(f.random.Int64N(int64(longest))))
}

func (f *fire) restart() {
	f.ring.Kill()
	f.ring = keyringtest.StartGnomeKeyring(f.t, f.bus.Address, f.user, keyringtest.Unlocked)
	f.locked = false
}

// moves counts how often the session was seen to change its place.
func (f *fire) moves() (toKeychain, toFile int) {
	var last store.Backend
	for generation := range f.slot.Highest() + 1 {
		switch now := f.backend[generation]; {
		case now == "":
			continue
		case last == store.BackendFile && now == store.BackendKeychain:
			toKeychain++
			last = now
		case last == store.BackendKeychain && now == store.BackendFile:
			toFile++
			last = now
		default:
			last = now
		}
	}
	return toKeychain, toFile
}

// settle gives the slot a healthy keyring and time; then there is one copy, or none of
// a session that was deleted.
func (f *fire) settle() {
	f.t.Helper()
	f.timeout = patient
	for _, p := range f.pairs {
		f.doFor(f.workers[0], doDrop, p)
	}
	f.quiet()
	if r := f.answered(); r.Failure == "no_session" {
		f.wantCopies(0, "")
		f.do(f.workers[1], doSave)
		f.quiet()
	}
	r := f.answered()
	if r.Failure != "" || r.Backend != store.BackendKeychain {
		f.t.Fatalf("on a healthy keyring: %+v", r)
	}
	f.wantCopies(1, r.Token)
}

// answered is a load on a keyring that is healthy. One that a busy machine keeps from
// answering within an operation's deadline is asked again.
func (f *fire) answered() (r reply) {
	f.t.Helper()
	for range 20 {
		if r, _ = f.do(f.workers[1], doLoad); r.Failure != "unavailable" {
			break
		}
	}
	return r
}

// quiet is three days on which nothing goes wrong.
func (f *fire) quiet() {
	f.t.Helper()
	for range 3 {
		f.logout()
		f.login()
		for _, w := range f.workers {
			f.do(w, doReconcile)
		}
	}
}

func (f *fire) wantCopies(entries int, token string) {
	f.t.Helper()
	conn := keyringtest.Connect(f.t, f.ring.Address)
	var items []dbus.ObjectPath
	search := conn.Object("org.freedesktop.secrets", fakeLogin).Call(collectionName+".SearchItems", 0, map[string]string{"service": "agentkeys"})
	if err := search.Store(&items); err != nil || len(items) != entries {
		f.t.Errorf("%d entries in the keyring, %v", len(items), err)
	}
	err := filepath.WalkDir(f.home, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if token != "" && strings.Contains(string(data), token) || strings.Contains(string(data), `"payload"`) || !slices.Contains([]string{".lock", "session.json"}, d.Name()) {
			f.t.Errorf("left over: %s, %d bytes", path, len(data))
		}
		return err
	})
	if err != nil {
		f.t.Error(err)
	}
	program, err := os.Executable()
	if err != nil {
		f.t.Fatal(err)
	}
	eventually(f.t, "the children of the killed to end", func() bool {
		others := func(name string) bool { return name != filepath.Base(program) }
		return len(slices.DeleteFunc(keyringtest.InHome(f.t, f.user), others)) == len(f.workers)
	})
}
