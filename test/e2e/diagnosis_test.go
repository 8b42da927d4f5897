package e2e_test

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/agentkeys/agentkeys/internal/mounts"
)

// finding is one check of `doctor --json`.
type finding struct{ Status, Message, Hint string }

// diagnosis is one object of `doctor --json`.
type diagnosis struct {
	t         testing.TB
	Wallet    string `json:"wallet"`
	SessionID string `json:"session_id"`
	Worst     string `json:"worst"`
	Checks    []struct {
		Name string `json:"name"`
		finding
	} `json:"checks"`
}

// onlyCaches reports whether nothing differs but daemons' caches.
func onlyCaches(a, b map[string]string) bool {
	rest := func(files map[string]string) map[string]string {
		out := maps.Clone(files)
		maps.DeleteFunc(out, func(name, _ string) bool { return strings.HasPrefix(filepath.Base(name), "cache.json") })
		return out
	}
	return maps.Equal(rest(a), rest(b))
}

// doctor runs a program's doctor, and fails if it changed a file, let a secret out,
// or ended with another code than its worst finding means.
func (m *machine) doctor(program string, args ...string) []diagnosis {
	m.t.Helper()
	var r result
	for try := 1; ; try++ {
		before := map[string]string{}
		if _, err := os.Stat(m.home); err == nil {
			before = m.settled(m.home)
		}
		r = m.run("", program, append([]string{"doctor", "--json"}, args...)...)
		if len(before) == 0 {
			break
		}
		after := tree(m.t, m.home)
		if maps.Equal(before, after) {
			break
		}
		if !onlyCaches(before, after) || try == 5 { // a running daemon may write its cache
			m.t.Errorf("doctor changed something below %s", m.home)
			break
		}
	}
	want := exitOK
	var all []diagnosis
	for dec := json.NewDecoder(strings.NewReader(r.stdout)); dec.More(); {
		d := diagnosis{t: m.t}
		if err := dec.Decode(&d); err != nil {
			m.t.Fatalf("doctor: %v, exit %d, %s%s", err, r.code, r.stdout, r.stderr)
		}
		if d.Worst == "fail" {
			want = exitFault
		}
		all = append(all, d)
	}
	if r.code != want || len(all) == 0 || r.stderr != "" {
		m.t.Fatalf("doctor: exit %d, want %d, %s%s", r.code, want, r.stdout, r.stderr)
	}
	m.keepsSecrets(r)
	return all
}

// keepsSecrets: no text of a payload that is longer than a date is in the output, but
// the names that a person may see.
func (m *machine) keepsSecrets(r result) {
	m.t.Helper()
	slots, err := filepath.Glob(filepath.Join(m.home, "*", "session.json"))
	if err != nil {
		m.t.Fatal(err)
	}
	for _, path := range slots {
		var head struct{ Payload map[string]any }
		data, err := os.ReadFile(path)
		if err != nil || json.Unmarshal(data, &head) != nil {
			continue // corrupt on purpose
		}
		for _, key := range []string{"token", "next", "device_key", "device_sign_key", "identity", "signing_seed"} {
			if s, ok := head.Payload[key].(string); ok && s != "" && strings.Contains(r.stdout+r.stderr, s) {
				m.t.Errorf("%s of %s is in the output of doctor", key, path)
			}
		}
	}
}

// has fails unless a check of that name has that status and says that.
func (d diagnosis) has(name, status, says string) finding {
	d.t.Helper()
	for _, c := range d.Checks {
		if c.Name == name && strings.Contains(c.Message, says) {
			if c.Status != status {
				d.t.Errorf("%s is %s, want %s: %s", name, c.Status, status, c.Message)
			}
			return c.finding
		}
	}
	d.t.Errorf("no check %s that says %q: %+v", name, says, d.Checks)
	return finding{}
}

// atBoot is what doctor says of a session in the file: where the tests' own directory does
// not stay, it says that.
func (m *machine) atBoot() (status, says string) {
	m.t.Helper()
	at, err := mounts.Of(m.dir)
	if err != nil {
		m.t.Fatal(err)
	}
	if at.Life != mounts.Stays {
		return "warn", "no: "
	}
	return "ok", "yes: it is in the file"
}

// hasNot requires that there is no line of this name, because another line covers it.
func (d diagnosis) hasNot(name string) {
	d.t.Helper()
	for _, c := range d.Checks {
		if c.Name == name {
			d.t.Errorf("%s has a line of its own: %+v", name, c)
		}
	}
}

// examined is a board with one agent in the file store, whose daemon is not running.
func examined(t *testing.T) (b *broker, o *owner, pi *machine, wallet string) {
	t.Helper()
	b = startBroker(t)
	o, pi = newOwner(t, b), newMachine(t)
	wallet = o.adopt(pi, "bot", "openrouter")
	return b, o, pi, wallet
}

// stocked is examined with a credential: openrouter has the value key-1.
func stocked(t *testing.T) (b *broker, o *owner, pi *machine, wallet string) {
	t.Helper()
	b, o, pi, wallet = examined(t)
	o.put(wallet, "openrouter", "key-1")
	return b, o, pi, wallet
}

// withRuntimeDirectory is a board with an agent and a runtime directory, as a login has it.
func withRuntimeDirectory(t *testing.T) (pi *machine, w string) {
	t.Helper()
	_, _, pi, w = examined(t)
	run := filepath.Join(pi.dir, "run")
	if err := os.MkdirAll(run, 0o700); err != nil {
		t.Fatal(err)
	}
	return pi.with("XDG_RUNTIME_DIR", run), w
}
