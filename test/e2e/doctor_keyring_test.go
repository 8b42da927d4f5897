package e2e_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/agentkeys/agentkeys/internal/store/keychain/keyringtest"
	"github.com/agentkeys/agentkeys/test/needs"
)

// kept is a desktop whose agent's session is in the keyring.
func kept(t *testing.T, state keyringtest.State) (*machine, *keyringtest.GnomeKeyring, string) {
	t.Helper()
	b := startBroker(t)
	o := newOwner(t, b)
	m, ring := desktop(t, state)
	m = m.with("XDG_DATA_HOME", filepath.Join(m.env["HOME"], "data"))
	w := o.adopt(m, "bot", "openrouter")
	if where := text(t, headFile(t, m.slot(w))["where"]); where != "keychain" {
		t.Fatalf("the session is in the %s", where)
	}
	return m, ring, w
}

// quiet fails if a look at the keyring asked for a window or a write.
func quiet(t *testing.T, monitor *keyringtest.Monitor, address string) {
	t.Helper()
	for _, c := range monitor.Calls(t, address) {
		for _, never := range []string{"Prompt.Prompt", "CreateCollection", "CreateItem", "Item.Delete", "SetSecret", "StartServiceByName", "Service.Lock"} {
			if strings.HasSuffix(c.Method, never) {
				t.Errorf("doctor called %s", c.Method)
			}
		}
	}
}

func TestDoctorOfAKeyringWithAPassword(t *testing.T) {
	t.Parallel()
	m, ring, w := kept(t, keyringtest.Unlocked)
	monitor := keyringtest.StartMonitor(t, ring.Address)
	d := m.doctor("agentkeys-daemon")[0]
	d.has("keychain", "ok", "unlocked (gnome-keyring)")
	d.has("slot", "ok", "in the keychain")
	d.has("session", "ok", "good until")
	d.has("broker", "ok", "answers") // its address is in the keychain too
	f := d.has("session_at_boot", "warn", "has a password")
	if !strings.HasPrefix(f.Hint, "agentkeys-daemon recover "+w+" --broker http://127.0.0.1:") || !strings.HasSuffix(f.Hint, " --session-store file") {
		t.Errorf("%+v", f)
	}
	m.doctor("agentkeys", "--wallet", w)[0].has("session", "ok", "good until")
	quiet(t, monitor, ring.Address)

	m.with("AGENTKEYS_SESSION_STORE", "file").doctor("agentkeys-daemon")[0].has("keychain", "fail", "not to be used")

	ring.Lock()
	again := keyringtest.StartMonitor(t, ring.Address)
	d = m.doctor("agentkeys-daemon")[0]
	d.has("keychain", "fail", "locked")
	d.hasNot("broker") // not known, because of the keychain
	daemon := m.daemon(w)
	daemon.reaches("waiting_for_keychain")
	m.doctor("agentkeys-daemon")[0].has("socket", "ok", "waiting_for_keychain")
	quiet(t, again, ring.Address)
	daemon.stop()

	ring.Kill()
	m.doctor("agentkeys-daemon")[0].has("keychain", "fail", "no_owner")
}

func TestDoctorOfAKeyringWithoutAPassword(t *testing.T) {
	t.Parallel()
	m, ring, _ := kept(t, keyringtest.Passwordless)
	ring.Kill()
	keyringtest.StartGnomeKeyring(t, ring.Address, m.env["HOME"], keyringtest.Passwordless) // the next login
	d := m.doctor("agentkeys-daemon")[0]
	d.has("keychain", "ok", "unlocked (gnome-keyring)")
	d.has("session", "ok", "good until")
	needs.Absent(t, "/var/lib/systemd/linger/root", "the user of the tests lingers")
	if f := d.has("session_at_boot", "warn", "no password, but runs only while"); !strings.HasPrefix(f.Hint, m.hint("sudo loginctl enable-linger")) {
		t.Errorf("%+v", f)
	}
}

func TestDoctorSeesASessionThatIsGoneFromTheKeyring(t *testing.T) {
	t.Parallel()
	needs.Programs(t, "secret-tool")
	m, ring, w := kept(t, keyringtest.Unlocked)
	env := keyringtest.Env(ring.Address, m.env["HOME"])
	keyringtest.Run(t, env, "", "secret-tool", "clear", "service", "agentkeys", "username", "daemon-"+w)
	m.doctor("agentkeys-daemon")[0].has("session", "fail", "disagree")
}

func TestDoctorWithoutABus(t *testing.T) {
	t.Parallel()
	_, _, pi, _ := examined(t)
	m := pi.with("AGENTKEYS_SESSION_STORE", "auto")
	m.doctor("agentkeys-daemon")[0].has("keychain", "ok", "no_bus")
	m.with("AGENTKEYS_SESSION_STORE", "keychain").doctor("agentkeys-daemon")[0].has("keychain", "fail", "nothing can be saved")
	address, _ := silentBus(t)
	mute := m.with("DBUS_SESSION_BUS_ADDRESS", address, "AGENTKEYS_KEYCHAIN_TIMEOUT", "300ms")
	mute.doctor("agentkeys-daemon")[0].has("keychain", "warn", "hung")
}
