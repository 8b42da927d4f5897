package e2e_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/agentkeys/agentkeys/test/needs"
)

func TestDoctorOfAHealthyMachine(t *testing.T) {
	t.Parallel()
	b, o, pi, w := examined(t)
	pi.daemon(w).reaches("online")
	d := pi.doctor("agentkeys-daemon")[0]
	if d.Wallet != w || d.SessionID != "daemon-"+w || d.Worst != "warn" { // nothing starts it at boot here
		t.Errorf("%+v", d)
	}
	d.has("settings", "ok", "file (AGENTKEYS_SESSION_STORE)")
	d.has("memory", "ok", "no core files")
	d.has("keychain", "ok", "not used")
	d.has("permissions", "ok", "private")
	d.has("slot", "ok", "in the file")
	d.has("fence", "ok", "")
	d.has("session", "ok", "good until")
	status, says := pi.atBoot()
	d.has("session_at_boot", status, says)
	d.has("socket", "ok", pi.socket(w, "agent.sock"))
	d.has("daemon", "ok", "online")
	d.has("broker", "ok", b.url)
	d.has("broker_clock", "ok", "")
	if own := o.doctor("agentkeys")[0]; own.SessionID != "master" || own.Wallet != "" || own.Worst == "fail" {
		t.Errorf("%+v", own)
	}
	if r := pi.run("", "agentkeys-daemon", "doctor", "--verbose"); r.code != exitOK || !strings.Contains(r.stdout, fmt.Sprintf("\n  %-4s  session_at_boot  %s", status, says)) {
		t.Errorf("exit %d: %s", r.code, r.stdout)
	}
}

func TestDoctorOfAMachineWithNothing(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	for _, program := range []string{"agentkeys", "agentkeys-daemon"} {
		if d := m.doctor(program); len(d) != 1 || d[0].Worst != "warn" || d[0].has("slot", "warn", "no session").Hint != "agentkeys-daemon pair --broker URL" {
			t.Errorf("%s: %+v", program, d)
		}
	}
	unknown := "0x00112233445566778899aabbccddeeff00112233"
	m.doctor("agentkeys-daemon", "--wallet", unknown)[0].has("slot", "fail", "not paired")
	if r := m.run("", "agentkeys-daemon", "doctor", "--wallet", "0xnone"); r.code != exitUsage {
		t.Errorf("exit %d", r.code)
	}
	if _, err := os.Stat(m.home); err == nil {
		t.Error("doctor made the home")
	}
}

func TestDoctorTellsOfEveryWallet(t *testing.T) {
	t.Parallel()
	_, o, pi, a := examined(t)
	z := o.adopt(pi, "other", "all")
	all := pi.doctor("agentkeys-daemon")
	if len(all) != 2 || all[0].Wallet != min(a, z) || all[1].Wallet != max(a, z) {
		t.Errorf("%+v", all)
	}
	for _, args := range [][]string{{"--wallet", a}, {"--wallet", display(t, a)}} {
		if one := pi.doctor("agentkeys-daemon", args...); len(one) != 1 || one[0].Wallet != a {
			t.Errorf("%v: %+v", args, one)
		}
	}
	if one := pi.doctor("agentkeys", "--wallet", z); len(one) != 1 || one[0].Wallet != z {
		t.Errorf("%+v", one)
	}
}

// Every wrong thing is named, and what doctor says to type mends it.
func TestDoctorNamesEachInsecureThing(t *testing.T) {
	t.Parallel()
	_, _, pi, w := examined(t)
	file, other := filepath.Join(pi.slot(w), "session.json"), filepath.Join(pi.slot(w), "notes.json")
	for path, mode := range map[string]os.FileMode{file: 0o644, pi.slot(w): 0o755} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("/etc/passwd", other); err != nil {
		t.Fatal(err)
	}
	d := pi.doctor("agentkeys-daemon")[0]
	d.hasNot("slot") // not read, because of its permissions
	for _, says := range []string{file + ": mode 0644", pi.slot(w) + ": mode 0755", other + ": is a link"} {
		hint := d.has("permissions", "fail", says).Hint
		if out, err := exec.Command("sh", "-c", hint).CombinedOutput(); err != nil {
			t.Errorf("%s: %v: %s", hint, err, out)
		}
	}
	if err := os.Remove(other + ".aside"); err != nil {
		t.Error(err)
	}
	pi.doctor("agentkeys-daemon")[0].has("permissions", "ok", "private")
}

func TestDoctorLeavesACorruptSlotAlone(t *testing.T) {
	t.Parallel()
	_, _, pi, w := examined(t)
	file := filepath.Join(pi.slot(w), "session.json")
	for _, content := range []string{"", "\x00\x00\x00", `{"version":1`} {
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if f := pi.doctor("agentkeys-daemon")[0].has("slot", "fail", "corrupt"); f.Hint != "agentkeys-daemon recover "+w+" --broker URL" {
			t.Errorf("%+v", f)
		}
	}
	if err := os.Rename(file, file+".corrupt-1"); err != nil {
		t.Fatal(err)
	}
	pi.doctor("agentkeys-daemon")[0].has("slot", "fail", "corrupt-1")
	if err := os.WriteFile(file, []byte(`{"version":2}`), 0o600); err != nil {
		t.Fatal(err)
	}
	pi.doctor("agentkeys-daemon")[0].has("slot", "fail", "newer")
}

func TestDoctorOfARemovedAndOfARevokedSession(t *testing.T) {
	t.Parallel()
	_, o, pi, w := examined(t)
	d := pi.daemon(w)
	d.reaches("online")
	o.must("revoke", "bot", "--yes")
	d.reaches("revoked")
	eventually(t, patience, "the slot says so", func() (string, bool) { return "", len(payload(t, pi.slot(w))["ended"]) > 0 })
	pi.doctor("agentkeys-daemon")[0].has("socket", "ok", "revoked")
	d.stop()
	pi.doctor("agentkeys-daemon")[0].has("session", "fail", "session_revoked")
	if r := pi.run("", "agentkeys-daemon", "forget", "--wallet", w, "--yes"); r.code != exitOK {
		t.Fatalf("%+v", r)
	}
	pi.doctor("agentkeys-daemon", "--wallet", w)[0].has("slot", "fail", "removed")
}

func TestDoctorTellsOfAFence(t *testing.T) {
	t.Parallel()
	_, _, pi, w := examined(t)
	needs.Linux(t)
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		t.Fatal(err)
	}
	for id, says := range map[string]string{strings.TrimSpace(string(boot)): "nothing new is put there", "another boot": "clears it"} {
		head := headFile(t, pi.slot(w))
		head["keychain"] = json.RawMessage(`{"provider":"gnome-keyring","verified_at":0,"in_doubt":` +
			`{"generation":1,"operation":"put","boot_id":"` + id + `","bus_id":"b","owner":":1.2","at":1767225600}}`)
		data, err := json.Marshal(head)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(pi.slot(w), "session.json"), data, 0o600); err != nil {
			t.Fatal(err)
		}
		if f := pi.doctor("agentkeys-daemon")[0].has("fence", "warn", says); !strings.Contains(f.Message, "since 2026-01-01T00:00:00Z") {
			t.Errorf("%+v", f)
		}
	}
}

func TestDoctorOfSockets(t *testing.T) {
	t.Parallel()
	_, _, pi, w := examined(t)
	d := pi.doctor("agentkeys-daemon")[0]
	d.has("socket", "ok", "is free")
	if f := d.has("daemon", "warn", "not running"); f.Hint != "agentkeys-daemon run --wallet "+w {
		t.Errorf("%+v", f)
	}
	pi.daemon(w).kill()
	pi.doctor("agentkeys-daemon")[0].has("socket", "warn", "stale")
	socket := pi.socket(w, "agent.sock")
	if err := os.Remove(socket); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(socket, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	pi.doctor("agentkeys-daemon")[0].has("socket", "fail", "no socket")
	if err := os.Remove(socket); err != nil {
		t.Fatal(err)
	}
	long := filepath.Join(pi.dir, strings.Repeat("d", 60))
	if err := os.Mkdir(long, 0o700); err != nil {
		t.Fatal(err)
	}
	deep := pi.with("XDG_RUNTIME_DIR", long)
	deep.doctor("agentkeys-daemon")[0].has("socket", "ok", "allows 10") // 107 on Linux, 103 on macOS
}

func TestDoctorOfTheBroker(t *testing.T) {
	t.Parallel()
	l, _, pi, w := lied(t)
	l.tell(func(e *exchange) {
		if e.is(http.MethodGet, "/v1/info") {
			e.edit(set("time", time.Now().Add(-time.Hour).Unix()))
		}
	})
	pi.doctor("agentkeys-daemon")[0].has("broker_clock", "warn", "differs by")
	l.tell(func(e *exchange) { e.status, e.body = http.StatusInternalServerError, []byte("<html>") })
	pi.doctor("agentkeys-daemon")[0].has("broker", "warn", "not a broker's")
	b, o, away, _ := examined(t)
	b.stop()
	if f := away.doctor("agentkeys-daemon")[0].has("broker", "warn", "refused"); f.Hint == "" {
		t.Errorf("%+v", f)
	}
	o.doctor("agentkeys")[0].has("broker", "warn", "refused")
	for _, request := range l.requests() {
		if strings.Contains(request, "renew") {
			t.Errorf("doctor renewed %s", w)
		}
	}
}

func TestDoctorOfSettings(t *testing.T) {
	t.Parallel()
	_, _, pi, w := examined(t)
	file := filepath.Join(pi.env["AGENTKEYS_CONFIG_DIR"], w+".toml")
	if err := os.WriteFile(file, []byte("borker = 'x'\nlog_level = 'loud'\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	address, visits := silentBus(t)
	m := pi.with("AGENTKEYS_SESSION_STORE", "", "DBUS_SESSION_BUS_ADDRESS", address)
	d := m.doctor("agentkeys-daemon")[0]
	d.has("settings", "fail", "borker")
	d.has("settings", "fail", "loud")
	d.hasNot("keychain") // which was not looked at because of the settings
	m.doctor("agentkeys", "--wallet", w)[0].has("settings", "fail", "borker")
	if err := os.WriteFile(file, []byte("session_store = 'file'\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	m.doctor("agentkeys-daemon")[0].has("settings", "ok", "file ("+file+")")
	m.doctor("agentkeys", "--wallet", w)[0].has("keychain", "ok", "not used")
	if n := visits.Load(); n != 0 {
		t.Errorf("%d connections to the bus without leave", n)
	}
}

// A person looks at a wallet whose daemon has another home, as a user looks at a system unit.
func TestDoctorOfADaemonWhoseSlotIsElsewhere(t *testing.T) {
	t.Parallel()
	pi, w := withRuntimeDirectory(t)
	pi.daemon(w).reaches("online")
	beside := pi.with("AGENTKEYS_HOME", filepath.Join(pi.dir, "other"))
	d := beside.doctor("agentkeys")[0]
	d.has("slot", "warn", "another home")
	d.has("daemon", "ok", "online")
	if d.Wallet != w || d.Worst != "warn" {
		t.Errorf("%+v", d)
	}
}
