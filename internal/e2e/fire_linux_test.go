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
)

// killsVariable is how often TestTheProgramsUnderFire kills a program.
const killsVariable = "AGENTKEYS_FIRE_KILLS"

// longRun is the number of kills from which on enough must have happened.
const longRun = 100

// operation is what one step of the keychain may take for the daemon: short, so that a
// frozen keyring is beyond it soon, and not so short that a busy machine is.
const operation = time.Second

// healing is how long a daemon may take until it is online again. One whose read of a
// healthy keyring took too long tries again after 20 s.
const healing = 4 * patience

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
			t.Fatalf("this was round %d", round)
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
	f.machine = f.with("AGENTKEYS_SESSION_STORE", "", "DBUS_SESSION_BUS_ADDRESS", f.seat.address, "AGENTKEYS_KEYCHAIN_TIMEOUT", operation.String())
	f.o = initOwner(f.with("AGENTKEYS_KEYCHAIN_TIMEOUT", "2s"), &broker{process: f.broker.process, m: f.broker.m, data: f.broker.data, url: l.url})
	f.wallet = f.o.adopt(f.with("AGENTKEYS_SESSION_STORE", "file"), "bot", "openrouter")
	age(t, f.slot(f.wallet))
	f.o.put("bot", "openrouter", keyOpenRouter)
	f.watch = map[string]*watch{}
	for _, account := range []string{"master", "daemon-" + f.wallet} {
		f.watch[account] = watchSlot(t, filepath.Join(f.home, account))
	}
	f.d = f.daemon(f.wallet)
	f.d.serves("openrouter", keyOpenRouter)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("after %d kills: %v\ndaemon: %s", f.killed, f.tally, f.d.err)
		}
	})
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
	eventually(f.t, healing, "the daemon is online", func() (string, bool) {
		s := f.d.status()
		return fmt.Sprintf("%+v", s), s.State == "online"
	})
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
