package e2e_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// slotHead is what the watch needs of session.json.
type slotHead struct {
	Generation uint64          `json:"generation"`
	Pending    uint64          `json:"pending"`
	Where      string          `json:"where"`
	SHA256     string          `json:"sha256"`
	PendingSum string          `json:"pending_sha256"`
	Tombstone  bool            `json:"tombstone"`
	Payload    json.RawMessage `json:"payload"`
}

// watch looks at the head of one slot all the time.
type watch struct {
	t    *testing.T
	path string

	mu     sync.Mutex
	last   slotHead
	sums   map[uint64]string // of each generation that was seen
	places []string          // where, each time that it changed
	wrong  []string
}

func watchSlot(t *testing.T, dir string) *watch {
	t.Helper()
	w := &watch{t: t, path: filepath.Join(dir, "session.json"), sums: map[uint64]string{}}
	w.look()
	over, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for tick := time.NewTicker(3 * time.Millisecond); ; {
			select {
			case <-over:
				return
			case <-tick.C:
				w.look()
			}
		}
	}()
	t.Cleanup(func() { close(over); <-done })
	return w
}

// look reads the head once. A rename replaces it, so there is always one and it is whole.
func (w *watch) look() {
	w.mu.Lock()
	defer w.mu.Unlock()
	var h slotHead
	data, err := os.ReadFile(w.path)
	if err == nil {
		err = json.Unmarshal(data, &h)
	}
	if err != nil {
		w.wrong = append(w.wrong, err.Error())
		return
	}
	sum, seen := w.sums[h.Generation]
	switch {
	case h.Generation < w.last.Generation:
		w.wrong = append(w.wrong, fmt.Sprintf("generation %d after %d", h.Generation, w.last.Generation))
	case h.Tombstone:
		w.wrong = append(w.wrong, "a tombstone")
	case seen && sum != h.SHA256:
		w.wrong = append(w.wrong, fmt.Sprintf("generation %d names two sessions", h.Generation))
	}
	if h.Where != w.last.Where {
		w.places = append(w.places, h.Where)
	}
	w.sums[h.Generation], w.last = h.SHA256, h
}

// head is the slot as it is now.
func (w *watch) head() slotHead {
	w.look()
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.last
}

// open reports whether a write is announced and not done.
func (w *watch) open() bool { return w.head().Pending != 0 }

func (w *watch) check() {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, text := range w.wrong {
		w.t.Errorf("%s: %s", w.path, text)
	}
}

func (w *watch) moves() (toKeychain, toFile int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, where := range w.places[1:] {
		if where == "keychain" {
			toKeychain++
		} else {
			toFile++
		}
	}
	return toKeychain, toFile
}

// good: the slot is in one place, and the broker takes what is in it.
func (k *killTest) good(account string) {
	k.t.Helper()
	eventually(k.t, patience, "the broker takes the session of "+account, func() (string, bool) {
		payload, still := k.onePlace(account)
		var s struct{ Token, Next, Wallet string }
		if err := json.Unmarshal(payload, &s); err != nil || !still {
			return fmt.Sprint("saved in between, or ", err), false
		}
		if s.Wallet != k.wallet && s.Wallet != k.o.wallet || (s.Wallet == k.wallet) != (account != "master") {
			k.t.Errorf("%s is now of %s", account, s.Wallet)
		}
		return "refused", k.takes(s.Token) || s.Next != "" && k.takes(s.Next)
	})
	k.nothingLeft(account)
}

// takes asks the broker itself, which looks at a token before it counts its requests.
func (k *killTest) takes(token string) bool {
	k.t.Helper()
	req, err := http.NewRequest(http.MethodGet, k.broker.url+"/v1/session", http.NoBody)
	if err != nil {
		k.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	code, _, err := read(http.DefaultClient.Do(req))
	return err == nil && (code == http.StatusOK || code == http.StatusTooManyRequests)
}

// onePlace gives the payload of the slot: file and keyring do not both hold the present
// generation. still is false if the slot was saved in between.
func (k *killTest) onePlace(account string) (payload []byte, still bool) {
	k.t.Helper()
	before := k.watch[account].head()
	values := k.user.entries(account)
	h := k.watch[account].head()
	if h.Generation != before.Generation || h.Pending != before.Pending {
		return nil, false
	}
	if len(values) > 1 {
		k.t.Errorf("%s: %d entries in the keyring", account, len(values))
	}
	if (h.Where == "file") != (len(h.Payload) > 0) {
		k.t.Errorf("%s: where=%s, and %d bytes in the file", account, h.Where, len(h.Payload))
	}
	payload = h.Payload
	for _, value := range values {
		generation, there := entry(k.t, value)
		sum := sha256.Sum256(there)
		good := generation == h.Pending && hex.EncodeToString(sum[:]) == h.PendingSum
		if generation == h.Generation {
			if good = hex.EncodeToString(sum[:]) == h.SHA256; !good {
				k.t.Errorf("%s: generation %d is another session in the keyring", account, generation)
			}
		}
		if good && h.Where == "keychain" {
			payload = there
		}
	}
	if len(payload) == 0 {
		k.t.Errorf("%s: generation %d (%d) is in the %s, and not there: %d entries", account, h.Generation, h.Pending, h.Where, len(values))
	}
	return payload, true
}

func (k *killTest) nothingLeft(account string) {
	k.t.Helper()
	if account == "master" && !k.cleaned {
		return // the next command does it
	}
	usual := []string{".lock", ".run.lock", "agent.sock", "metrics.sock", "cache.json", "events.json", "manifests.json", "audit.json", "session.json"}
	eventually(k.t, patience, "nothing is left over in "+account, func() (string, bool) { // a write may be under way
		files, err := os.ReadDir(filepath.Join(k.home, account))
		if err != nil {
			k.t.Fatal(err)
		}
		files = slices.DeleteFunc(files, func(e os.DirEntry) bool { return slices.Contains(usual, e.Name()) })
		return fmt.Sprint(files), len(files) == 0
	})
}

// cli starts a command of the owner; each renews the session on its way.
func (k *killTest) cli() *process {
	for _, args := range [][]string{{"whoami"}, {"agents"}, {"list", "--agent", "bot"}, {"read", "openrouter", "--agent", "bot"}} {
		if k.random.IntN(3) == 0 || args[0] == "read" {
			return k.o.start("", "agentkeys", append([]string{"--json"}, args...)...)
		}
	}
	return nil
}

// second is another program at the daemon's slot. refusal, if it has one, is what it
// has to end with.
type second struct {
	*process
	refusal string
}

const (
	refusedRun    = "another daemon runs for wallet"
	refusedForget = `"code":"busy"`
)

func (k *killTest) second(daemonDies bool) second {
	kinds := map[string]int{"status": 2, "doctor": 3, "read by the daemon": 2, "read by the slot": 4, "recover": 1}
	if !daemonDies { // else they would find the slot free, and may have it
		kinds["forget"], kinds["run"] = 2, 3
	}
	kind := k.pick(kinds)
	k.tally[kind]++
	start := func(program string, args ...string) *process {
		return k.start("", program, append(args, "--json")...)
	}
	switch kind {
	case "status":
		return second{process: start("agentkeys-daemon", "status", "--wallet", k.wallet)}
	case "doctor":
		return second{process: start("agentkeys-daemon", "doctor", "--wallet", k.wallet)}
	case "forget":
		return second{start("agentkeys-daemon", "forget", "--wallet", k.wallet, "--yes"), refusedForget}
	case "run":
		return second{k.start("", "agentkeys-daemon", "run", "--wallet", k.wallet), refusedRun}
	case "recover":
		return second{process: start("agentkeys-daemon", "recover", "bot", "--broker", k.o.env["AGENTKEYS_BROKER"])}
	case "read by the daemon":
		return second{process: start("agentkeys", "read", "openrouter", "--wallet", k.wallet)}
	}
	return second{process: start("agentkeys", "--session-id", "daemon-"+k.wallet, "read", "openrouter")}
}

// check accepts of the end of a command what a disturbed keyring may cause, and nothing else.
// A refusal, if given, is the only end that may be. It reports whether all went well.
func (k *killTest) check(p *process, refusal string) bool {
	k.t.Helper()
	if strings.Contains(p.name, " recover ") {
		p.kill() // it waits for an approval that does not come
	}
	r := p.wait()
	if r.signal != 0 {
		return false
	}
	code := ""
	if lines := strings.Split(strings.TrimSpace(r.stderr), "\n"); r.code != exitOK {
		var said struct{ Error struct{ Code string } }
		_ = json.Unmarshal([]byte(lines[len(lines)-1]), &said) // a text, or nothing: checked below
		code = said.Error.Code
	}
	k.tally[fmt.Sprintf("exit %d %s", r.code, code)]++
	// slow_down: a fast machine makes more than the 600 requests a minute that an agent may.
	expected := []string{"", "keychain_unavailable", "busy", "broker_away", "daemon_away", "unavailable", "slow_down"}
	switch {
	case r.code == exitNoSession, r.code == exitDenied, r.code == exitUsage:
		k.t.Errorf("%s: exit %d: %s%s", p.name, r.code, r.stdout, r.stderr)
	case refusal != "":
		if r.code != exitFault || !strings.Contains(r.stderr, refusal) {
			k.t.Errorf("%s: not refused: exit %d: %s%s", p.name, r.code, r.stdout, r.stderr)
		}
	case !slices.Contains(expected, code), strings.Contains(r.stdout, "disagree"), strings.Contains(r.stdout, "not paired"):
		k.t.Errorf("%s: exit %d: %s%s", p.name, r.code, r.stdout, r.stderr)
	}
	return r.code == exitOK
}
