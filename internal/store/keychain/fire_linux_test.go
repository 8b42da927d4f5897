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

	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/store"
	"github.com/agentkeys/agentkeys/internal/store/keychain/keyringtest"
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

	mu        sync.Mutex
	attempted map[string]bool   // tokens
	seen      map[uint64]string // generation -> token
	backend   map[uint64]store.Backend
	floor     uint64 // the highest generation that somebody was told
	answers   map[string]int
	cutOff    int // commands that a kill interrupted
}

// TestMigrationUnderFire: two processes save, renew, load and reconcile one session
// while the keyring is locked, frozen and killed, and one of the two is killed -9 at
// a random moment of each round. Nothing acknowledged is lost, no generation names
// two sessions, and none that anybody was told goes down.
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
		attempted: map[string]bool{}, seen: map[uint64]string{}, backend: map[uint64]store.Backend{}, answers: map[string]int{},
	}
	f.home = filepath.Join(f.user, ".agentkeys")
	f.login()
	defer f.stop()
	begin := time.Now()
	f.do(f.workers[0], doSave)
	save := time.Since(begin)
	for round := range kills {
		if round%10 == 9 {
			f.logout()
			f.login()
		}
		f.round(save)
	}
	f.settle()
	up, down := f.moves()
	t.Logf("%d kills, %d in the middle of a command; %d generations, %d moves to the keychain, %d to the file; answers %v",
		kills, f.cutOff, f.floor, up, down, f.answers)
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
	f.workers[i] = startWorker(f.t, keyringtest.Env(f.ring.Address, f.ring.Home), f.home)
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
	time.Sleep(time.Duration(f.random.Int64N(int64(save) * 3 / 2)))
	f.workers[victim].kill()
	close(over)
	busy.Wait()
	f.workers[victim].end()
	f.start(victim)
	f.do(f.workers[1-victim], doLoad)
	if f.t.Failed() {
		f.t.FailNow()
	}
}

// drive gives a worker one command after the other until it is dead or the round is over.
func (f *fire) drive(w *worker, over <-chan struct{}) (died bool) {
	words := []string{doSave, doSave, doSave, doOver, doOver, doReconcile, doReconcile, doLoad}
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

// do gives one command and judges the answer by what was known when it was given.
func (f *fire) do(w *worker, word string) (r reply, answered bool) {
	f.mu.Lock()
	floor, command := f.floor, word
	if word == doSave || word == doOver {
		token := session.NewToken().Reveal()
		f.attempted[token] = true
		command += " " + token
	}
	f.mu.Unlock()
	if r, answered = w.ask(command); answered {
		f.mu.Lock()
		f.judge(word, floor, r)
		f.mu.Unlock()
	}
	return r, answered
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
		time.Sleep(time.Duration(f.random.IntN(60)) * time.Millisecond)
		f.ring.Stop()
		time.Sleep(time.Duration(f.random.IntN(700)) * time.Millisecond)
		f.ring.Continue()
	case n < 9:
		time.Sleep(time.Duration(f.random.IntN(60)) * time.Millisecond)
		f.restart()
	}
}

func (f *fire) restart() {
	f.ring.Kill()
	f.ring = keyringtest.StartGnomeKeyring(f.t, f.bus.Address, f.user, keyringtest.Unlocked)
	f.locked = false
}

// judge holds an answer against the floor of its time and against all others.
func (f *fire) judge(word string, floor uint64, r reply) {
	f.answers[word+" "+r.Failure]++
	switch r.Failure {
	case "":
	case "unavailable", "busy", "stale", "in_doubt":
		return
	default: // no_session: LOST; inconsistent: LOST; and what the disk may never do
		f.t.Errorf("%s, generation %d known: %s", word, floor, r.Text)
		return
	}
	saved := word == doSave || word == doOver
	switch known, ok := f.seen[r.Generation]; {
	case !f.attempted[r.Token]:
		f.t.Errorf("%s: generation %d is a session that nobody saved", word, r.Generation)
	case r.Generation < floor, saved && r.Generation == floor:
		f.t.Errorf("%s: STALE: generation %d after %d", word, r.Generation, floor)
	case ok && known != r.Token:
		f.t.Errorf("%s: FORKED: generation %d names two sessions", word, r.Generation)
	}
	f.seen[r.Generation], f.backend[r.Generation] = r.Token, r.Backend
	f.floor = max(f.floor, r.Generation)
}

// moves counts how often the session was seen to change its place.
func (f *fire) moves() (toKeychain, toFile int) {
	var last store.Backend
	for generation := range f.floor + 1 {
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

// settle gives the slot a healthy keyring and time; then there is one copy.
func (f *fire) settle() {
	f.t.Helper()
	for range 3 {
		f.logout()
		f.login()
		for _, w := range f.workers {
			f.do(w, doReconcile)
		}
	}
	r, _ := f.do(f.workers[1], doLoad)
	if r.Failure != "" || r.Backend != store.BackendKeychain {
		f.t.Fatalf("on a healthy keyring: %+v", r)
	}
	f.wantOneCopy(r.Token)
}

func (f *fire) wantOneCopy(token string) {
	f.t.Helper()
	conn := keyringtest.Connect(f.t, f.ring.Address)
	var items []dbus.ObjectPath
	search := conn.Object("org.freedesktop.secrets", fakeLogin).Call(collectionName+".SearchItems", 0, map[string]string{"service": "agentkeys"})
	if err := search.Store(&items); err != nil || len(items) != 1 {
		f.t.Errorf("%d entries in the keyring, %v", len(items), err)
	}
	err := filepath.WalkDir(f.home, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if strings.Contains(string(data), token) || strings.Contains(string(data), `"payload"`) || !slices.Contains([]string{".lock", "session.json"}, d.Name()) {
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
