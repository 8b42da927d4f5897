package e2e_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// moment is a random time in which a power cut may fall.
func moment(longest time.Duration) { time.Sleep(time.Duration(rand.Int64N(int64(longest)))) }

// slots lists the wallets that were saved. A power cut may leave a directory whose head was
// never written; `pair` continues with it.
func (m *machine) slots() []string {
	m.t.Helper()
	entries, err := os.ReadDir(m.home)
	if err != nil {
		m.t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		w, ok := strings.CutPrefix(e.Name(), "daemon-")
		if _, err := os.Stat(filepath.Join(m.home, e.Name(), "session.json")); ok && err == nil {
			out = append(out, w)
		}
	}
	return out
}

func (o *owner) agentCount() int {
	o.t.Helper()
	var agents []map[string]any
	o.decode(&agents, "agents", "--json")
	return len(agents)
}

// A board loses its power again and again while it pairs: the code stays, and in the
// end there is one agent.
func TestKillNineWhilePairing(t *testing.T) {
	t.Parallel()
	for round := range 3 {
		t.Run(fmt.Sprint("round ", round), func(t *testing.T) {
			t.Parallel()
			b := startBroker(t)
			o, pi := newOwner(t, b), newMachine(t)
			args := []string{"pair", "--json", "--broker", b.url, "--alias", "bot", "--scope", "openrouter"}
			for range 4 { // before anything is known of the request
				p := pi.start("", "agentkeys-daemon", args...)
				moment(150 * time.Millisecond)
				p.kill()
			}
			p := pi.pair(b.url, "--alias", "bot", "--scope", "openrouter")
			code := p.code
			p.kill()
			p = pi.pair(b.url, "--alias", "bot", "--scope", "openrouter")
			if p.code != code {
				t.Fatalf("the code changed from %s to %s", code, p.code)
			}
			if round == 2 { // the broker's power cut
				b.kill()
				moment(100 * time.Millisecond)
				b.start()
			}
			o.must("approve", p.code, "--scope", "openrouter", "--yes")
			moment(60 * time.Millisecond)
			p.kill()
			if len(pi.slots()) == 0 {
				again := pi.start("", "agentkeys-daemon", args...)
				moment(120 * time.Millisecond)
				again.kill()
			}
			if len(pi.slots()) == 0 {
				succeed(t, pi.run("", "agentkeys-daemon", args...), args)
			}
			wallets := pi.slots()
			if len(wallets) != 1 || o.agentCount() != 1 {
				t.Fatalf("slots %v, %d agents", wallets, o.agentCount())
			}
			o.put("bot", "openrouter", keyOpenRouter)
			pi.daemon(wallets[0]).serves("openrouter", keyOpenRouter)
		})
	}
}

// A daemon loses its power at any step of its renewals, and continues with what it has stored.
func TestKillNineWhileRenewing(t *testing.T) {
	t.Parallel()
	b := startBroker(t)
	o, pi := newOwner(t, b), newMachine(t)
	w := o.adopt(pi, "bot", "openrouter")
	o.put("bot", "openrouter", keyOpenRouter)
	first := pi.daemon(w)
	first.serves("openrouter", keyOpenRouter)
	first.stop()
	tokens := map[string]bool{}
	for i := range 20 {
		age(t, pi.slot(w))
		before := text(t, payload(t, pi.slot(w))["token"])
		d := pi.launch(w)
		if i%4 == 3 { // some get as far as the end, also where everything is slow
			eventually(t, patience, "a renewal", func() (string, bool) {
				return d.err.String(), text(t, payload(t, pi.slot(w))["token"]) != before
			})
		} else {
			moment(160 * time.Millisecond)
		}
		if i%5 == 4 { // the broker loses its power too
			b.kill()
			d.kill()
			b.start()
		}
		d.kill()
		p := payload(t, pi.slot(w))
		tokens[text(t, p["token"])] = true
		if text(t, p["wallet"]) != w {
			t.Fatalf("another wallet after %d power cuts", i+1)
		}
	}
	d := pi.daemon(w)
	d.reaches("online")
	d.serves("openrouter", keyOpenRouter)
	eventually(t, patience, "no renewal is left open", func() (string, bool) {
		_, open := payload(t, pi.slot(w))["next"]
		return d.err.String(), !open
	})
	if n := o.agentCount(); n != 1 {
		t.Errorf("%d agents", n)
	}
	if len(tokens) < 2 {
		t.Error("nothing was renewed in 20 starts")
	}
}

func TestKillNineOfTheBrokerLosesNothingAcknowledged(t *testing.T) {
	t.Parallel()
	b := startBroker(t)
	o, pi := newOwner(t, b), newMachine(t)
	w := o.adopt(pi, "bot", "all")
	d := pi.daemon(w)
	for i := range 5 {
		value := fmt.Sprint("value ", i)
		o.put("bot", "openrouter", value)
		b.kill()
		b.start()
		if r := o.must("read", "openrouter", "--agent", "bot"); r.stdout != value {
			t.Fatalf("after power cut %d: %q", i+1, r.stdout)
		}
	}
	d.stop()
	pi.daemon(w).serves("openrouter", "value 4")
}
