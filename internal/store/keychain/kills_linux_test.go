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

	"github.com/agentkeys/agentkeys/internal/store/keychain/keyringtest"
	"github.com/agentkeys/agentkeys/internal/store/storetest"
	"github.com/agentkeys/agentkeys/internal/words"
)

// killsVariable is how often TestMigrationUnderKills kills a process.
const killsVariable = "AGENTKEYS_KILLS"

// killTest is two processes on one slot and one real keyring, and what they have said.
type killTest struct {
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
	pairs   []*killPairing
	backend map[uint64]words.Backend
	answers map[string]int
	asked   map[string]int // commands under way
	journal []string
	cutOff  int // commands that a kill interrupted
}

// TestMigrationUnderKills: two processes save, renew, load, reconcile and delete one
// session and promote pairings to it while the keyring is locked, frozen and killed,
// and one of the two is killed -9 at a random moment of each round. Nothing that was
// acknowledged is lost, nothing deleted comes back, no generation names two sessions,
// none that was told goes down, and a pairing fills the slot once.
func TestMigrationUnderKills(t *testing.T) {
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
	k := &killTest{
		t: t, random: rand.New(rand.NewPCG(seed, 0)), user: keyringtest.Dir(t),
		slot: storetest.NewLedger(), backend: map[uint64]words.Backend{},
		answers: map[string]int{}, asked: map[string]int{}, timeout: longTimeout,
	}
	k.home = filepath.Join(k.user, ".agentkeys")
	k.login()
	defer k.stop()
	begin := time.Now()
	k.do(k.workers[0], doSave)
	save := time.Since(begin)
	k.stop()
	k.timeout = max(500*time.Millisecond, 4*save) // short, so that many of them are missed
	k.start(0)
	k.start(1)
	for round := range kills {
		if round%10 == 9 {
			k.logout()
			k.login()
		}
		k.round(save)
	}
	k.finish()
	up, down := k.moves()
	t.Logf("%d kills, %d in the middle of a command; %d generations, %d pairings, %d moves to the keychain, %d to the file; answers %v",
		kills, k.cutOff, k.slot.Highest(), len(k.pairs), up, down, k.answers)
	if kills >= 100 && (up < kills/50 || down < kills/50 || k.cutOff < kills*9/10) {
		t.Error("too little happened: this run proves nothing")
	}
}

// login starts a session of the desktop. A write in doubt whose provider was gone
// when it was looked for is over only with the bus that it was sent on.
func (k *killTest) login() {
	k.bus = keyringtest.NewBus(k.t, "")
	k.ring = keyringtest.StartGnomeKeyring(k.t, k.bus.Address, k.user, keyringtest.Unlocked)
	k.locked = false
	k.start(0)
	k.start(1)
}

func (k *killTest) logout() {
	k.stop()
	k.ring.Kill()
	k.bus.Kill()
}

func (k *killTest) start(i int) {
	k.workers[i] = startWorker(k.t, keyringtest.Env(k.ring.Address, k.ring.Home), k.home, k.timeout)
}

func (k *killTest) stop() {
	for _, w := range k.workers {
		w.kill()
		w.end()
	}
}

// round keeps both workers busy, disturbs the keyring and kills one of them.
func (k *killTest) round(save time.Duration) {
	over := make(chan struct{})
	victim := k.random.IntN(2)
	var busy sync.WaitGroup
	for i, w := range k.workers {
		busy.Go(func() {
			if died := k.drive(w, over); died && i != victim {
				k.t.Errorf("a worker that was not killed is dead: %s", w.errors.String())
			}
		})
	}
	k.disturb()
	k.pause(save * 3 / 2)
	k.workers[victim].kill()
	close(over)
	busy.Wait()
	k.workers[victim].end()
	k.start(victim)
	k.do(k.workers[1-victim], doLoad)
	k.do(k.workers[1-victim], doLook)
	if k.t.Failed() {
		k.t.FailNow()
	}
}

// drive gives a worker one command after the other until it is dead or the round is over.
func (k *killTest) drive(w *worker, over <-chan struct{}) (died bool) {
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
		if _, answered := k.do(w, words[rand.IntN(len(words))]); !answered {
			k.mu.Lock()
			k.cutOff++
			k.mu.Unlock()
			return true
		}
	}
}

// disturb does what may happen to the keyring while the workers work.
func (k *killTest) disturb() {
	if k.ring.Ended() {
		k.t.Logf("the keyring ended by itself: %s", k.ring.Outcome())
		k.restart()
	}
	switch n := k.random.IntN(20); {
	case k.locked && n < 10:
		k.ring.Unlock()
		k.locked = false
	case n < 2 && !k.locked:
		k.ring.Lock()
		k.locked = true
	case n < 6: // frozen beyond the workers' deadlines or not: what was sent is done late
		k.pause(60 * time.Millisecond)
		k.ring.Stop()
		k.pause(k.timeout * 7 / 5)
		k.ring.Continue()
	case n < 9:
		k.pause(60 * time.Millisecond)
		k.restart()
	}
}

func (k *killTest) pause(longest time.Duration) {
	time.Sleep(time.Duration(k.random.Int64N(int64(longest))))
}

func (k *killTest) restart() {
	k.ring.Kill()
	k.ring = keyringtest.StartGnomeKeyring(k.t, k.bus.Address, k.user, keyringtest.Unlocked)
	k.locked = false
}

// moves counts how often the session was seen to change its place.
func (k *killTest) moves() (toKeychain, toFile int) {
	var last words.Backend
	for generation := range k.slot.Highest() + 1 {
		switch now := k.backend[generation]; {
		case now == "":
			continue
		case last == words.BackendFile && now == words.BackendKeychain:
			toKeychain++
			last = now
		case last == words.BackendKeychain && now == words.BackendFile:
			toFile++
			last = now
		default:
			last = now
		}
	}
	return toKeychain, toFile
}

// finish gives the slot a healthy keyring and time; then there is one copy, or none of
// a session that was deleted.
func (k *killTest) finish() {
	k.t.Helper()
	k.timeout = longTimeout
	for _, p := range k.pairs {
		k.doFor(k.workers[0], doDrop, p)
	}
	k.quiet()
	if r := k.answered(); r.Failure == "no_session" {
		k.wantCopies(0, "")
		k.do(k.workers[1], doSave)
		k.quiet()
	}
	r := k.answered()
	if r.Failure != "" || r.Backend != words.BackendKeychain {
		k.t.Fatalf("on a healthy keyring: %+v", r)
	}
	k.wantCopies(1, r.Token)
}

// answered is a load on a keyring that is healthy. One that a busy machine keeps from
// answering within an operation's deadline is asked again.
func (k *killTest) answered() (r reply) {
	k.t.Helper()
	for range 20 {
		if r, _ = k.do(k.workers[1], doLoad); r.Failure != "unavailable" {
			break
		}
	}
	return r
}

// quiet is three days on which nothing goes wrong.
func (k *killTest) quiet() {
	k.t.Helper()
	for range 3 {
		k.logout()
		k.login()
		for _, w := range k.workers {
			k.do(w, doReconcile)
		}
	}
}

func (k *killTest) wantCopies(entries int, token string) {
	k.t.Helper()
	conn := keyringtest.Connect(k.t, k.ring.Address)
	var items []dbus.ObjectPath
	search := conn.Object("org.freedesktop.secrets", fakeLogin).Call(collectionName+".SearchItems", 0, map[string]string{"service": "agentkeys"})
	if err := search.Store(&items); err != nil || len(items) != entries {
		k.t.Errorf("%d entries in the keyring, %v", len(items), err)
	}
	err := filepath.WalkDir(k.home, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if token != "" && strings.Contains(string(data), token) || strings.Contains(string(data), `"payload"`) || !slices.Contains([]string{".lock", "session.json"}, d.Name()) {
			k.t.Errorf("left over: %s, %d bytes", path, len(data))
		}
		return err
	})
	if err != nil {
		k.t.Error(err)
	}
	program, err := os.Executable()
	if err != nil {
		k.t.Fatal(err)
	}
	eventually(k.t, "the children of the killed to end", func() bool {
		others := func(name string) bool { return name != filepath.Base(program) }
		return len(slices.DeleteFunc(keyringtest.InHome(k.t, k.user), others)) == len(k.workers)
	})
}
