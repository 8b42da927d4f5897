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
func (f *fire) good(account string) {
	f.t.Helper()
	eventually(f.t, patience, "the broker takes the session of "+account, func() (string, bool) {
		payload, still := f.onePlace(account)
		var s struct{ Token, Next, Wallet string }
		if err := json.Unmarshal(payload, &s); err != nil || !still {
			return fmt.Sprint("saved meanwhile, or ", err), false
		}
		if s.Wallet != f.wallet && s.Wallet != f.o.wallet || (s.Wallet == f.wallet) != (account != "master") {
			f.t.Errorf("%s is now of %s", account, s.Wallet)
		}
		return "refused", f.takes(s.Token) || s.Next != "" && f.takes(s.Next)
	})
	f.nothingLeft(account)
}

// takes asks the broker itself, which looks at a token before it counts its requests.
func (f *fire) takes(token string) bool {
	f.t.Helper()
	req, err := http.NewRequest(http.MethodGet, f.broker.url+"/v1/session", http.NoBody)
	if err != nil {
		f.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	code, _, err := read(http.DefaultClient.Do(req))
	return err == nil && (code == http.StatusOK || code == http.StatusTooManyRequests)
}

// onePlace gives the payload of the slot: file and keyring do not both hold the present
// generation. still is false if the slot was saved meanwhile.
func (f *fire) onePlace(account string) (payload []byte, still bool) {
	f.t.Helper()
	before := f.watch[account].head()
	values := f.seat.entries(account)
	h := f.watch[account].head()
	if h.Generation != before.Generation || h.Pending != before.Pending {
		return nil, false
	}
	if len(values) > 1 {
		f.t.Errorf("%s: %d entries in the keyring", account, len(values))
	}
	if (h.Where == "file") != (len(h.Payload) > 0) {
		f.t.Errorf("%s: where=%s, and %d bytes in the file", account, h.Where, len(h.Payload))
	}
	payload = h.Payload
	for _, value := range values {
		generation, there := entry(f.t, value)
		sum := sha256.Sum256(there)
		good := generation == h.Pending && hex.EncodeToString(sum[:]) == h.PendingSum
		if generation == h.Generation {
			if good = hex.EncodeToString(sum[:]) == h.SHA256; !good {
				f.t.Errorf("%s: generation %d is another session in the keyring", account, generation)
			}
		}
		if good && h.Where == "keychain" {
			payload = there
		}
	}
	if len(payload) == 0 {
		f.t.Errorf("%s: generation %d (%d) is in the %s, and not there: %d entries", account, h.Generation, h.Pending, h.Where, len(values))
	}
	return payload, true
}

func (f *fire) nothingLeft(account string) {
	f.t.Helper()
	if account == "master" && !f.cleaned {
		return // the next command does it
	}
	usual := []string{".lock", ".run.lock", "agent.sock", "metrics.sock", "cache.json", "events.json", "manifests.json", "audit.json", "session.json"}
	eventually(f.t, patience, "nothing is left over in "+account, func() (string, bool) { // a write may be under way
		files, err := os.ReadDir(filepath.Join(f.home, account))
		if err != nil {
			f.t.Fatal(err)
		}
		files = slices.DeleteFunc(files, func(e os.DirEntry) bool { return slices.Contains(usual, e.Name()) })
		return fmt.Sprint(files), len(files) == 0
	})
}

// cli starts a command of the owner; each renews the session on its way.
func (f *fire) cli() *process {
	for _, args := range [][]string{{"whoami"}, {"agents"}, {"list", "--agent", "bot"}, {"read", "openrouter", "--agent", "bot"}} {
		if f.random.IntN(3) == 0 || args[0] == "read" {
			return f.o.start("", "agentkeys", append([]string{"--json"}, args...)...)
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

func (f *fire) second(daemonDies bool) second {
	kinds := map[string]int{"status": 2, "doctor": 3, "read by the daemon": 2, "read by the slot": 4, "recover": 1}
	if !daemonDies { // else they would find the slot free, and may have it
		kinds["forget"], kinds["run"] = 2, 3
	}
	kind := f.pick(kinds)
	f.tally[kind]++
	start := func(program string, args ...string) *process {
		return f.start("", program, append(args, "--json")...)
	}
	switch kind {
	case "status":
		return second{process: start("agentkeys-daemon", "status", "--wallet", f.wallet)}
	case "doctor":
		return second{process: start("agentkeys-daemon", "doctor", "--wallet", f.wallet)}
	case "forget":
		return second{start("agentkeys-daemon", "forget", "--wallet", f.wallet, "--yes"), refusedForget}
	case "run":
		return second{f.start("", "agentkeys-daemon", "run", "--wallet", f.wallet), refusedRun}
	case "recover":
		return second{process: start("agentkeys-daemon", "recover", "bot", "--broker", f.o.env["AGENTKEYS_BROKER"])}
	case "read by the daemon":
		return second{process: start("agentkeys", "read", "openrouter", "--wallet", f.wallet)}
	}
	return second{process: start("agentkeys", "--session-id", "daemon-"+f.wallet, "read", "openrouter")}
}

// judge holds the end of a command against what a keyring's weather may cause.
// A refusal, if given, is the only end that may be. It reports whether all went well.
func (f *fire) judge(p *process, refusal string) bool {
	f.t.Helper()
	if strings.Contains(p.name, " recover ") {
		p.kill() // nobody approves it
	}
	r := p.wait()
	if r.signal != 0 {
		return false
	}
	code := ""
	if lines := strings.Split(strings.TrimSpace(r.stderr), "\n"); r.code != exitOK {
		var said struct{ Error struct{ Code string } }
		_ = json.Unmarshal([]byte(lines[len(lines)-1]), &said) // a text, or nothing: judged below
		code = said.Error.Code
	}
	f.tally[fmt.Sprintf("exit %d %s", r.code, code)]++
	// slow_down: a fast machine makes more than the 600 requests a minute that an agent may.
	weather := []string{"", "keychain_unavailable", "busy", "broker_away", "daemon_away", "unavailable", "slow_down"}
	switch {
	case r.code == exitNoSession, r.code == exitDenied, r.code == exitUsage:
		f.t.Errorf("%s: exit %d: %s%s", p.name, r.code, r.stdout, r.stderr)
	case refusal != "":
		if r.code != exitFault || !strings.Contains(r.stderr, refusal) {
			f.t.Errorf("%s: not refused: exit %d: %s%s", p.name, r.code, r.stdout, r.stderr)
		}
	case !slices.Contains(weather, code), strings.Contains(r.stdout, "disagree"), strings.Contains(r.stdout, "not paired"):
		f.t.Errorf("%s: exit %d: %s%s", p.name, r.code, r.stdout, r.stderr)
	}
	return r.code == exitOK
}
