package e2e_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/agentkeys/agentkeys/internal/store/keychain/keyringtest"
)

func TestDoctorOfAKeyringThatAnswersNothing(t *testing.T) {
	t.Parallel()
	m, ring, _ := kept(t, keyringtest.Unlocked)
	ring.Stop()
	defer ring.Continue()
	m.doctor("agentkeys-daemon")[0].has("keychain", "fail", "hung")
}

func TestDoctorOfAKeyringWithoutACollection(t *testing.T) {
	t.Parallel()
	_, _, pi, _ := examined(t)
	address := keyringtest.StartBus(t)
	keyringtest.StartGnomeKeyring(t, address, pi.env["HOME"], keyringtest.None)
	monitor := keyringtest.StartMonitor(t, address)
	m := pi.with("AGENTKEYS_SESSION_STORE", "", "DBUS_SESSION_BUS_ADDRESS", address, "AGENTKEYS_KEYCHAIN_TIMEOUT", patiently)
	d := m.doctor("agentkeys-daemon")[0]
	d.has("keychain", "ok", "no_collection")
	d.has("slot", "ok", "in the file")
	m.with("AGENTKEYS_SESSION_STORE", "keychain").doctor("agentkeys-daemon")[0].has("keychain", "fail", "nothing can be saved")
	quiet(t, monitor, address)
}

// A bus that is gone leaves its socket behind.
func TestDoctorOfASessionWhoseBusIsGone(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	s := newLinuxUser(t, m.env["HOME"])
	s.login()
	m = m.with("AGENTKEYS_SESSION_STORE", "", "DBUS_SESSION_BUS_ADDRESS", s.address, "AGENTKEYS_KEYCHAIN_TIMEOUT", patiently)
	newOwner(t, startBroker(t)).adopt(m, "bot", "openrouter")
	m.doctor("agentkeys-daemon")[0].has("keychain", "ok", "unlocked")
	s.logout()
	if _, err := os.Stat(s.path); err != nil {
		t.Fatalf("there is no dead socket: %v", err)
	}
	d := m.doctor("agentkeys-daemon")[0]
	d.has("keychain", "fail", "no_bus")
	d.has("slot", "ok", "in the keychain")
	m.with("DBUS_SESSION_BUS_ADDRESS", "autolaunch:").doctor("agentkeys-daemon")[0].has("keychain", "fail", "no_bus")
}

// A fence at a real keyring: it stands while the provider lives that has the write, and
// a start takes it down when that one is gone.
func TestDoctorOfAWriteInDoubt(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	s := newLinuxUser(t, m.env["HOME"])
	s.login()
	m = m.with("AGENTKEYS_SESSION_STORE", "", "DBUS_SESSION_BUS_ADDRESS", s.address, "AGENTKEYS_KEYCHAIN_TIMEOUT", patiently)
	w := newOwner(t, startBroker(t)).adopt(m, "bot", "openrouter")
	doubt(t, m.slot(w), s.bus.Address)
	if f := m.doctor("agentkeys-daemon")[0].has("fence", "warn", "nothing new is put there"); f.Hint != "agentkeys-daemon probe" {
		t.Errorf("%+v", f)
	}
	daemon := m.daemon(w)
	daemon.condition("store_in_doubt")
	m.doctor("agentkeys-daemon")[0].has("fence", "warn", "nothing new is put there")
	daemon.stop()
	s.ring.Kill()
	s.open()
	if f := m.doctor("agentkeys-daemon")[0].has("fence", "warn", "clears it at its next start"); f.Hint != "agentkeys-daemon run --wallet "+w {
		t.Errorf("%+v", f)
	}
	daemon = m.daemon(w)
	daemon.reaches("online")
	eventually(t, patience, "the fence is down", func() (string, bool) {
		note := string(headFile(t, m.slot(w))["keychain"])
		return note, !strings.Contains(note, "in_doubt")
	})
	m.doctor("agentkeys-daemon")[0].has("fence", "ok", "unconfirmed")
}

// doubt writes a fence for the provider that owns the name now: a write whose end was not seen.
func doubt(t *testing.T, dir, address string) {
	t.Helper()
	conn := keyringtest.Connect(t, address)
	var owner, bus string
	if err := conn.BusObject().Call("org.freedesktop.DBus.GetNameOwner", 0, "org.freedesktop.secrets").Store(&owner); err != nil {
		t.Fatal(err)
	}
	if err := conn.BusObject().Call("org.freedesktop.DBus.GetId", 0).Store(&bus); err != nil {
		t.Fatal(err)
	}
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		t.Fatal(err)
	}
	head := headFile(t, dir)
	head["keychain"] = fmt.Appendf(nil, `{"provider":"gnome-keyring","verified_at":1,"in_doubt":`+
		`{"generation":%d,"operation":"put","boot_id":%q,"bus_id":%q,"owner":%q,"at":1767225600}}`,
		generation(t, dir)+1, strings.TrimSpace(string(boot)), bus, owner)
	data, err := json.Marshal(head)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "session.json"), data, 0o600); err != nil {
		t.Fatal(err)
	}
}
