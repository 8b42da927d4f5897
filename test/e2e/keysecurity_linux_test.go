package e2e_test

import (
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/agentkeys/agentkeys/internal/store/keychain/keyringtest"
	"github.com/agentkeys/agentkeys/test/needs"
)

// keySecurity is wiki/key-security.md by its sections.
func keySecurity(t *testing.T) map[string]string {
	t.Helper()
	data, err := os.ReadFile("../../wiki/key-security.md")
	if err != nil {
		t.Fatal(err)
	}
	sections := map[string]string{}
	for _, s := range strings.Split(string(data), "\n## ")[1:] {
		title, body, _ := strings.Cut(s, "\n")
		sections[title] = body
	}
	return sections
}

// commands are the indented lines of a section, without their remarks.
func commands(section string) []string {
	var out []string
	for line := range strings.Lines(section) {
		if command, ok := strings.CutPrefix(line, "    "); ok {
			command, _, _ = strings.Cut(command, " #")
			out = append(out, strings.TrimSpace(command))
		}
	}
	return out
}

// typed runs a line of the page as a person types it, who says yes to what it asks.
func (m *machine) typed(line, wallet string) result {
	m.t.Helper()
	line = strings.NewReplacer("0x...", wallet, "IDENTITY", "bot").Replace(line)
	return m.with("PATH", bin+":"+m.env["PATH"]).run("y\n", "/bin/sh", "-c", line)
}

// occupied is a desktop with an owner and an agent in its keyring, and a pairing that is not
// approved yet.
func occupied(t *testing.T) (m *machine, wallet string) {
	t.Helper()
	needs.Programs(t, "secret-tool")
	m, _ = desktop(t, keyringtest.Unlocked)
	b := startBroker(t)
	o := initOwner(m, b)
	wallet = o.adopt(m, "bot", "openrouter")
	o.put("bot", "openrouter", keyOpenRouter)
	waiting := m.with("AGENTKEYS_SESSION_STORE", "keychain").pair(b.url)
	pending, err := filepath.Glob(filepath.Join(m.home, "pending-*"))
	if err != nil || len(pending) != 1 || text(t, headFile(t, pending[0])["where"]) != "file" {
		t.Errorf("a pairing under way: %v, %v", pending, err)
	}
	if r := m.typed("secret-tool search --all service agentkeys", wallet); r.code != exitOK || strings.Contains(r.stdout+r.stderr, "pending") {
		t.Errorf("a pairing under way: exit %d, %s", r.code, r.stderr)
	}
	o.must("deny", waiting.code)
	waiting.failed("pairing_denied")
	return m.with("AGENTKEYS_BROKER", b.url), wallet
}

// The commands of the page are typed as they stand there.
func TestTheCommandsOfTheKeySecurityPage(t *testing.T) {
	t.Parallel()
	m, w := occupied(t)
	sections := keySecurity(t)
	daemon := m.daemon(w)
	daemon.serves("openrouter", keyOpenRouter)
	shown := map[string]string{
		"agentkeys-daemon status": "in the keychain", "agentkeys-daemon doctor": "in the keychain", "agentkeys-daemon probe": "unlocked",
		"agentkeys whoami": "master (keychain)", "secret-tool lookup": "ak1.", "secret-tool search": "attribute.username = master",
	}
	for _, line := range commands(sections["How to look"]) {
		if strings.HasPrefix(line, "security ") {
			continue // macOS
		}
		words := strings.Fields(line)
		what, known := shown[words[0]+" "+words[1]]
		if r := m.typed(line, w); !known || r.code != exitOK || !strings.Contains(r.stdout+r.stderr, what) {
			t.Errorf("%s: exit %d, not %q: %s%s", line, r.code, what, r.stdout, r.stderr)
		}
		delete(shown, words[0]+" "+words[1])
	}
	if len(shown) > 0 {
		t.Errorf("the page does not say: %v", slices.Collect(maps.Keys(shown)))
	}
	for _, line := range commands(sections["How to wipe"]) {
		if strings.Contains(line, "forget") {
			daemon.stop()
		}
		if strings.HasPrefix(line, "security ") {
			continue
		}
		if rest, ok := strings.CutPrefix(line, "secret-tool clear "); ok { // there is nothing by now: leave something
			m.typed("secret-tool store --label=left "+rest, w)
		}
		line = strings.Replace(line, "revoke IDENTITY", "revoke IDENTITY --yes", 1) // there is no terminal to ask at
		if r := m.typed(line, w); r.code != exitOK {
			t.Errorf("%s: exit %d: %s%s", line, r.code, r.stdout, r.stderr)
		}
	}
	if r := m.typed("secret-tool search --all service agentkeys", w); strings.Contains(r.stdout, "agentkeys") {
		t.Errorf("left in the keyring: %s", r.stdout)
	}
	for name, content := range tree(t, m.home) {
		if strings.Contains(content, `"payload"`) {
			t.Errorf("left in the file %s", name)
		}
	}
}

// What the page says is on disk is all that there is, and its example has the keys of a
// true head.
func TestTheFilesOfTheKeySecurityPage(t *testing.T) {
	t.Parallel()
	m, w := occupied(t)
	m.daemon(w).serves("openrouter", keyOpenRouter)
	m.cached(w, "openrouter")
	if r := m.run("", "agentkeys", "usage"); r.code != exitOK {
		t.Errorf("usage: exit %d, %s", r.code, r.stderr)
	}
	section := keySecurity(t)["What is on disk"]
	for name := range m.settled(m.home) {
		slot, file := filepath.Split(name)
		if file == "." || slot == "" || strings.HasSuffix(file, ".sock") {
			continue
		}
		if !strings.Contains(section, "`"+file+"`") {
			t.Errorf("the page does not name %s", name)
		}
	}
	for _, line := range commands(section) {
		var example, head map[string]json.RawMessage
		if err := json.Unmarshal([]byte(line), &example); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		head = headFile(t, m.slot(w))
		if text(t, example["where"]) == "file" {
			_, _, pi, other := examined(t)
			head = headFile(t, pi.slot(other))
		}
		if want, is := slices.Sorted(maps.Keys(head)), slices.Sorted(maps.Keys(example)); !slices.Equal(want, is) {
			t.Errorf("where=%s: the example has %v, a head %v", example["where"], is, want)
		}
	}
}

// stolen says what of a session is in clear in the files below a user's home.
func stolen(t *testing.T, m *machine, secrets []string) (where []string) {
	t.Helper()
	for _, dir := range []string{m.home, m.env["HOME"]} {
		for name, content := range tree(t, dir) {
			if slices.ContainsFunc(secrets, func(s string) bool { return strings.Contains(content, s) }) {
				where = append(where, filepath.Base(name))
			}
		}
	}
	return where
}

// The rows of the page's table that can be seen on one machine: what a thief of the card
// and a backup find, what another user may open, what another program of the user reads.
func TestWhatEachStoreProtectsFrom(t *testing.T) {
	t.Parallel()
	needs.Programs(t, "secret-tool")
	for name, row := range map[string]struct {
		state keyringtest.State
		store string
		found []string // files with the session in clear
	}{
		"file":                           {keyringtest.Unlocked, "file", []string{"session.json"}},
		"gnome-keyring without password": {keyringtest.Passwordless, "", []string{"login.keyring"}},
		"gnome-keyring with a password":  {keyringtest.Unlocked, "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, ring := desktop(t, row.state)
			m = m.with("AGENTKEYS_SESSION_STORE", row.store)
			w := newOwner(t, startBroker(t)).adopt(m, "bot", "openrouter")
			secrets := []string{}
			if row.store == "file" {
				secrets = append(secrets, text(t, payload(t, m.slot(w))["token"]))
			} else {
				secrets = append(secrets, lookup(t, m, "daemon-"+w)) // as any program of this user
			}
			m.settled(m.env["HOME"])
			found := stolen(t, m, secrets)
			if !slices.Equal(found, row.found) {
				t.Errorf("in clear in %v, want %v", found, row.found)
			}
			refusedToOthers(t, m)
			if row.found == nil {
				ring.Lock()
				look := exec.Command("secret-tool", "lookup", "service", "agentkeys", "username", "daemon-"+w)
				look.Env = keyringtest.Env(ring.Address, m.env["HOME"])
				if out, err := look.Output(); err == nil || len(out) > 0 {
					t.Error("a locked keyring gave the session")
				}
			}
		})
	}
}

// refusedToOthers: another user of the machine opens nothing that holds a session.
func refusedToOthers(t *testing.T, m *machine) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Log("only root can become another user")
		return
	}
	open := filepath.Join(m.dir, "open") // a file that anybody may read, so the look itself works
	if err := os.Mkdir(open, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(open, "file"), []byte("open"), 0o644); err != nil {
		t.Fatal(err)
	}
	keyrings := filepath.Join(m.env["HOME"], "data", "keyrings")
	for _, dir := range []string{m.dir, m.env["HOME"], filepath.Dir(keyrings), keyrings} { // only their own modes protect them
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for dir, want := range map[string]string{m.home: "", keyrings: "", open: "open"} {
		look := exec.Command("find", dir, "-type", "f", "-exec", "cat", "{}", "+")
		look.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		if out, err := look.Output(); string(out) != want || (err == nil) != (want != "") {
			t.Errorf("another user reads %d bytes below %s, %v", len(out), dir, err)
		}
	}
}
