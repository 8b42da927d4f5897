package e2e_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/agentkeys/agentkeys/internal/store/keychain/keyringtest"
)

// killsVariable is how often TestTheProgramsUnderFire kills a program.
const killsVariable = "AGENTKEYS_FIRE_KILLS"

// longRun is the number of kills from which on enough must have happened.
const longRun = 100

// fire is one user's desktop: a daemon, the owner's command line and a real keyring
// that both use, and a broker at whose every word a renewal is due again.
type fire struct {
	*machine
	random *rand.Rand
	seat   *seat
	broker *broker
	o      *owner
	wallet string // of the agent
	d      *daemon
	watch  map[string]*watch // of the slots, by account
	tally  map[string]int
	killed int // programs, in the middle of their work
	// cleaned: the last command of the owner went well, so nothing is left of one before it.
	cleaned bool
	resume  func() int // how often anybody had to resume: its slot held no token that is good
}

// TestTheProgramsUnderFire: the built daemon and command line renew their sessions as
// often as can be, in one home and one keyring that is locked, frozen, killed and
// logged out meanwhile, and one of the programs is killed -9 at a random moment of each
// round. Afterwards each slot still names the same wallet and holds a token that the
// broker takes; no generation went down or names two sessions; file and keyring never
// both hold the present one; nobody is ever told that there is no session.
func TestTheProgramsUnderFire(t *testing.T) {
	t.Parallel()
	kills := 8
	if text := os.Getenv(killsVariable); text != "" {
		var err error
		if kills, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	f := light(t, rand.New(rand.NewPCG(seed, 0)))
	for round := 1; f.killed < kills; round++ {
		if round%8 == 0 {
			f.relogin()
		}
		if f.round(); t.Failed() || round > 3*kills+10 {
			t.Fatalf("after %d rounds and %d kills: %v\ndaemon: %s", round, f.killed, f.tally, f.d.err)
		}
	}
	f.settle()
	f.report(kills)
}

// light makes the desktop with an owner and an agent whose daemon runs.
func light(t *testing.T, random *rand.Rand) *fire {
	t.Helper()
	f := &fire{machine: newMachine(t), random: random, broker: startBroker(t), tally: map[string]int{}}
	l := newLiar(t, f.broker)
	f.resume = l.aged()
	f.seat = newSeat(t, f.env["HOME"])
	f.seat.login()
	f.machine = f.with("AGENTKEYS_SESSION_STORE", "", "DBUS_SESSION_BUS_ADDRESS", f.seat.address, "AGENTKEYS_KEYCHAIN_TIMEOUT", "500ms")
	f.o = initOwner(f.machine, &broker{process: f.broker.process, m: f.broker.m, data: f.broker.data, url: l.url})
	f.wallet = f.o.adopt(f.with("AGENTKEYS_SESSION_STORE", "file"), "bot", "openrouter")
	age(t, f.slot(f.wallet))
	f.o.put("bot", "openrouter", keyOpenRouter)
	f.watch = map[string]*watch{}
	for _, account := range []string{"master", "daemon-" + f.wallet} {
		f.watch[account] = watchSlot(t, filepath.Join(f.home, account))
	}
	f.d = f.daemon(f.wallet)
	f.d.serves("openrouter", keyOpenRouter)
	return f
}

// aged makes every session that the broker tells of look renewed two days ago, so that
// a renewal is due at each command and each reload. resumed counts what must not be.
func (l *liar) aged() (resumed func() int) {
	n := 0
	l.tell(func(e *exchange) {
		if e.is(http.MethodPost, "/v1/session/resume") {
			n++
		}
		if e.is(http.MethodGet, "/v1/session") && e.status == http.StatusOK || e.is(http.MethodPost, "/v1/accounts") {
			old := time.Now().Add(-48 * time.Hour).Unix()
			e.edit(set("created_at", old))
			e.edit(set("time", old))
		}
	})
	return func() int {
		l.mu.Lock()
		defer l.mu.Unlock()
		return n
	}
}

// victims of one round, and how often.
func (f *fire) victims() []string {
	sets := map[string]int{"daemon": 4, "cli": 3, "second": 1, "broker": 1, "daemon cli": 6, "cli daemon": 4, "second cli": 3, "daemon second": 2}
	return strings.Fields(f.pick(sets))
}

// round keeps everybody busy, changes the weather, kills one program or two, and looks.
func (f *fire) round() {
	victims := f.victims()
	cli, second := f.cli(), f.second(slices.Contains(victims, "daemon"))
	others := []*process{}
	if f.random.IntN(3) == 0 {
		others = append(others, f.cli()) // two commands of the owner at once
	}
	f.weather()
	for _, victim := range victims {
		for range f.random.IntN(4) {
			f.d.signal(syscall.SIGHUP) // load again, and so renew again
			f.moment(70 * time.Millisecond)
		}
		f.moment(60 * time.Millisecond)
		switch victim {
		case "daemon":
			f.cut(f.d.process, victim)
		case "cli":
			f.cut(cli, victim)
		case "second":
			f.cut(second.process, victim)
		case "broker":
			f.broker.kill()
			f.killed++
			f.tally["killed broker"]++
			f.broker.start()
		}
	}
	f.seat.thaw()
	for _, other := range others {
		f.judge(other, "")
	}
	f.cleaned = f.judge(cli, "")
	f.judge(second.process, second.refusal)
	if slices.Contains(victims, "daemon") {
		f.restart()
	}
	f.seat.heal()
	f.look()
}

// cut is kill -9 of one program and nobody else: its children may end their work.
func (f *fire) cut(p *process, who string) {
	if !p.running() {
		return // too late
	}
	_ = p.cmd.Process.Kill() // it may end by itself just now
	<-p.done
	if p.code >= 0 {
		return
	}
	f.killed++
	f.tally["killed "+who]++
	for account, w := range f.watch {
		if w.open() {
			f.tally["writes cut off in "+account[:6]]++
		}
	}
}

// restart starts the daemon again, sometimes twice: one of the two is refused.
func (f *fire) restart() {
	f.d = f.launch(f.wallet)
	if f.random.IntN(4) > 0 {
		f.d.answers()
		return
	}
	f.tally["two daemons"]++
	other := f.launch(f.wallet)
	select {
	case <-f.d.done:
		f.d, other = other, f.d
	case <-other.done:
	case <-time.After(patience):
		f.t.Fatal("two daemons of one slot")
	}
	f.judge(other.process, refusedRun)
	f.d.answers()
}

// look: with a keyring that can be read both sessions are good and in one place.
func (f *fire) look() {
	f.t.Helper()
	f.d.reaches("online")
	for _, c := range f.d.status().Conditions {
		if strings.HasPrefix(c.Code, "slot_") || c.Code == "session_revoked" || c.Code == "session_expired" {
			f.t.Errorf("condition %s: %s", c.Code, c.Message)
		}
	}
	if n := f.resume(); n > 0 {
		f.t.Errorf("%d resumes: a slot held no token that is good", n)
	}
	for account, w := range f.watch {
		w.check()
		f.good(account)
	}
}

func (f *fire) pick(weights map[string]int) string {
	total := 0
	for _, name := range names(weights) {
		total += weights[name]
	}
	n := f.random.IntN(total)
	for _, name := range names(weights) {
		if n -= weights[name]; n < 0 {
			return name
		}
	}
	return ""
}

func (f *fire) moment(longest time.Duration) {
	time.Sleep(time.Duration(f.random.Int64N(int64(longest))))
}

// settle logs in anew until both sessions are in the keyring, and only there.
func (f *fire) settle() {
	f.t.Helper()
	for account, w := range f.watch {
		eventually(f.t, patience, account+" comes to rest in the keyring", func() (string, bool) {
			f.relogin()
			f.d.stop()
			f.restart()
			f.look()
			f.o.must("agents", "--json")
			return fmt.Sprintf("%+v", w.head()), w.head().Where == "keychain"
		})
	}
	f.d.stop()
	for account, w := range f.watch {
		w.check()
		if h := w.head(); h.Where != "keychain" || h.Pending != 0 {
			f.t.Errorf("%s: on a healthy keyring: %+v", account, h)
		}
		if n := len(f.seat.entries(account)); n != 1 {
			f.t.Errorf("%s: %d entries in the keyring", account, n)
		}
	}
	for name, content := range tree(f.t, f.home) {
		if strings.HasPrefix(name, "pending-") {
			continue // of a recovery that nobody approved: always in a file
		}
		if strings.Contains(content, `"payload"`) || strings.Contains(content, `"token"`) {
			f.t.Errorf("a session is left in the file %s", name)
		}
	}
	f.seat.logout()
	eventually(f.t, patience, "the children of the killed end", func() (string, bool) {
		left := keyringtest.InHome(f.t, f.env["HOME"])
		return fmt.Sprint(left), len(left) == 0
	})
}

// report says what happened; a long run in which little did proves nothing.
func (f *fire) report(kills int) {
	f.t.Helper()
	cut := 0
	for name, n := range f.tally {
		if strings.HasPrefix(name, "writes cut off") {
			cut += n
		}
	}
	f.t.Logf("%d kills: %v", f.killed, f.tally)
	for account, w := range f.watch {
		up, down := w.moves()
		f.t.Logf("%s: generation %d, %d moves to the keychain, %d to the file", account, w.head().Generation, up, down)
		if kills >= longRun && (up < kills/100 || down < kills/100 || w.head().Generation < uint64(kills/2)) {
			f.t.Errorf("too little happened to %s: this run proves nothing", account)
		}
	}
	if kills >= longRun && cut < kills/50 {
		f.t.Errorf("%d kills in the middle of a write: this run proves nothing", cut)
	}
}
