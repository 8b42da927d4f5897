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

// killsVariable is how often TestTheProgramsUnderKills kills a program.
const killsVariable = "AGENTKEYS_KILLS"

// longRun is the number of kills from which on enough must have happened.
const longRun = 100

// operation is what one step of the keychain may take for the daemon: short, so that a
// frozen keyring is beyond it soon, and not so short that a busy machine is.
const operation = time.Second

// healing is how long a daemon may take until it is online again. One whose read of a
// healthy keyring took too long tries again after 20 s.
const healing = 4 * patience

// killTest is one user's desktop: a daemon, the owner's command line and a real keyring
// that both use, and a broker at whose every word a renewal is due again.
type killTest struct {
	*machine
	random *rand.Rand
	user   *linuxUser
	broker *broker
	o      *owner
	wallet string // of the agent
	d      *daemon
	watch  map[string]*watch // of the slots, by account
	tally  map[string]int
	killed int // programs, in the middle of their work
	// cleaned: the last command of the owner went well, so nothing is left of one before it.
	cleaned bool
	resume  func() int // how often a program had to resume: its slot held no token that is good
}

// TestTheProgramsUnderKills: the built daemon and command line renew their sessions as
// often as can be, in one home and one keyring that is locked, frozen, killed and
// logged out at the same time, and one of the programs is killed -9 at a random moment of each
// round. Afterwards each slot still names the same wallet and holds a token that the
// broker takes; no generation went down or names two sessions; file and keyring never
// both hold the present one; no program is ever told that there is no session.
func TestTheProgramsUnderKills(t *testing.T) {
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
	k := newKillTest(t, rand.New(rand.NewPCG(seed, 0)))
	for round := 1; k.killed < kills; round++ {
		if round%8 == 0 {
			k.relogin()
		}
		if k.round(); t.Failed() || round > 3*kills+10 {
			t.Fatalf("this was round %d", round)
		}
	}
	k.finish()
	k.report(kills)
}

// newKillTest makes the desktop with an owner and an agent whose daemon runs.
func newKillTest(t *testing.T, random *rand.Rand) *killTest {
	t.Helper()
	k := &killTest{machine: newMachine(t), random: random, broker: startBroker(t), tally: map[string]int{}}
	l := newLiar(t, k.broker)
	k.resume = l.aged()
	k.user = newLinuxUser(t, k.env["HOME"])
	k.user.login()
	k.machine = k.with("AGENTKEYS_SESSION_STORE", "", "DBUS_SESSION_BUS_ADDRESS", k.user.address, "AGENTKEYS_KEYCHAIN_TIMEOUT", operation.String())
	k.o = initOwner(k.with("AGENTKEYS_KEYCHAIN_TIMEOUT", "2s"), &broker{process: k.broker.process, m: k.broker.m, data: k.broker.data, url: l.url})
	k.wallet = k.o.adopt(k.with("AGENTKEYS_SESSION_STORE", "file"), "bot", "openrouter")
	age(t, k.slot(k.wallet))
	k.o.put("bot", "openrouter", keyOpenRouter)
	k.watch = map[string]*watch{}
	for _, account := range []string{"master", "daemon-" + k.wallet} {
		k.watch[account] = watchSlot(t, filepath.Join(k.home, account))
	}
	k.d = k.daemon(k.wallet)
	k.d.serves("openrouter", keyOpenRouter)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("after %d kills: %v\ndaemon: %s", k.killed, k.tally, k.d.err)
		}
	})
	return k
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
func (k *killTest) victims() []string {
	sets := map[string]int{"daemon": 4, "cli": 3, "second": 1, "broker": 1, "daemon cli": 6, "cli daemon": 4, "second cli": 3, "daemon second": 2}
	return strings.Fields(k.pick(sets))
}

// round keeps all programs busy, disturbs the keyring, kills one program or two, and looks.
func (k *killTest) round() {
	victims := k.victims()
	cli, second := k.cli(), k.second(slices.Contains(victims, "daemon"))
	others := []*process{}
	if k.random.IntN(3) == 0 {
		others = append(others, k.cli()) // two commands of the owner at once
	}
	k.disturb()
	for _, victim := range victims {
		for range k.random.IntN(4) {
			k.d.signal(syscall.SIGHUP) // load again, and so renew again
			k.pause(70 * time.Millisecond)
		}
		k.pause(60 * time.Millisecond)
		switch victim {
		case "daemon":
			k.cut(k.d.process, victim)
		case "cli":
			k.cut(cli, victim)
		case "second":
			k.cut(second.process, victim)
		case "broker":
			k.broker.kill()
			k.killed++
			k.tally["killed broker"]++
			k.broker.start()
		}
	}
	k.user.thaw()
	for _, other := range others {
		k.check(other, "")
	}
	k.cleaned = k.check(cli, "")
	k.check(second.process, second.refusal)
	if slices.Contains(victims, "daemon") {
		k.restart()
	}
	k.user.heal()
	k.look()
}

// cut is kill -9 of one program alone: its children may end their work.
func (k *killTest) cut(p *process, who string) {
	if !p.running() {
		return // too late
	}
	_ = p.cmd.Process.Kill() // it may end by itself just now
	<-p.done
	if p.code >= 0 {
		return
	}
	k.killed++
	k.tally["killed "+who]++
	for account, w := range k.watch {
		if w.open() {
			k.tally["writes cut off in "+account[:6]]++
		}
	}
}

// restart starts the daemon again, sometimes twice: one of the two is refused.
func (k *killTest) restart() {
	k.d = k.launch(k.wallet)
	if k.random.IntN(4) > 0 {
		k.d.answers()
		return
	}
	k.tally["two daemons"]++
	other := k.launch(k.wallet)
	select {
	case <-k.d.done:
		k.d, other = other, k.d
	case <-other.done:
	case <-time.After(patience):
		k.t.Fatal("two daemons of one slot")
	}
	k.check(other.process, refusedRun)
	k.d.answers()
}

// look: with a keyring that can be read both sessions are good and in one place.
func (k *killTest) look() {
	k.t.Helper()
	eventually(k.t, healing, "the daemon is online", func() (string, bool) {
		s := k.d.status()
		return fmt.Sprintf("%+v", s), s.State == "online"
	})
	for _, c := range k.d.status().Conditions {
		if strings.HasPrefix(c.Code, "slot_") || c.Code == "session_revoked" || c.Code == "session_expired" {
			k.t.Errorf("condition %s: %s", c.Code, c.Message)
		}
	}
	if n := k.resume(); n > 0 {
		k.t.Errorf("%d resumes: a slot held no token that is good", n)
	}
	for account, w := range k.watch {
		w.check()
		k.good(account)
	}
}

func (k *killTest) pick(weights map[string]int) string {
	total := 0
	for _, name := range names(weights) {
		total += weights[name]
	}
	n := k.random.IntN(total)
	for _, name := range names(weights) {
		if n -= weights[name]; n < 0 {
			return name
		}
	}
	return ""
}

func (k *killTest) pause(longest time.Duration) {
	time.Sleep(time.Duration(k.random.Int64N(int64(longest))))
}
