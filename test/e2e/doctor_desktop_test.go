package e2e_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/agentkeys/agentkeys/internal/store/keychain/keyringtest"
)

// moved takes the payload out of a slot's file, as if the session lay in a keychain, and
// returns the entry that has to be there.
func moved(t *testing.T, m *machine, wallet string) keyringtest.Entry {
	t.Helper()
	head := headFile(t, m.slot(wallet))
	value := fmt.Sprintf("ak1.%s.%s", head["generation"], base64.RawURLEncoding.EncodeToString(head["payload"]))
	delete(head, "payload")
	head["where"] = json.RawMessage(`"keychain"`)
	data, err := json.Marshal(head)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(m.slot(wallet), "session.json"), data, 0o600); err != nil {
		t.Fatal(err)
	}
	return keyringtest.Entry{Account: "daemon-" + wallet, Value: value}
}

// onDesktop is a board whose agent was paired without a keychain and that has a bus and
// a display now.
func onDesktop(t *testing.T) (m *machine, wallet, address string, display *keyringtest.Display) {
	t.Helper()
	_, _, pi, wallet := examined(t)
	address, display = keyringtest.StartBus(t), keyringtest.StartDisplay(t)
	m = pi.with("AGENTKEYS_SESSION_STORE", "", "DBUS_SESSION_BUS_ADDRESS", address, "DISPLAY", display.Name,
		"AGENTKEYS_KEYCHAIN_TIMEOUT", patiently)
	return m, wallet, address, display
}

// unasked runs look and fails if it caused a window, a prompt or a write.
func unasked(t *testing.T, address string, display *keyringtest.Display, look func()) {
	t.Helper()
	monitor, before := keyringtest.StartMonitor(t, address), display.Titles()
	look()
	quiet(t, monitor, address)
	if after := display.Titles(); !slices.Equal(before, after) {
		t.Errorf("windows %q, before %q", after, before)
	}
}

func TestDoctorOfKeePassXC(t *testing.T) {
	t.Parallel()
	m, w, address, display := onDesktop(t)
	entry := moved(t, m, w)
	k := keyringtest.StartKeePassXC(t, address, display, keyringtest.Unlocked, false, entry)
	unasked(t, address, display, func() {
		d := m.doctor("agentkeys-daemon")[0]
		d.has("keychain", "warn", "prompts_on_write (KeePassXC)")
		d.has("slot", "ok", "in the keychain")
		d.has("session_at_boot", "warn", "does not say whether it opens without a person")
		if d.Worst == "fail" {
			t.Errorf("%+v", d)
		}
		daemon := m.daemon(w)
		daemon.reaches("online") // it reads the session there, and leaves it there
		m.doctor("agentkeys-daemon")[0].has("daemon", "ok", "online")
		daemon.stop()
	})
	if got := k.Show(entry.Account); got != entry.Value {
		t.Error("the entry is another one")
	}
	k.Lock()
	unasked(t, address, display, func() {
		m.doctor("agentkeys-daemon")[0].has("keychain", "fail", "the session lies in it and cannot be read now")
		m.daemon(w).reaches("waiting_for_keychain")
		m.doctor("agentkeys-daemon")[0].has("socket", "ok", "waiting_for_keychain")
	})
}

// KeePassXC's own default: a person allows each program each entry.
func TestDoctorOfKeePassXCThatConfirmsReads(t *testing.T) {
	t.Parallel()
	m, w, address, display := onDesktop(t)
	keyringtest.StartKeePassXC(t, address, display, keyringtest.Unlocked, true, moved(t, m, w))
	unasked(t, address, display, func() {
		d := m.doctor("agentkeys-daemon")[0]
		d.has("keychain", "warn", "prompts_on_write (KeePassXC)")
		for _, c := range d.Checks {
			if c.Name == "session" {
				t.Errorf("doctor read the session: %+v", c)
			}
		}
		m.daemon(w).reaches("waiting_for_keychain")
		m.doctor("agentkeys-daemon")[0].has("socket", "ok", "waiting_for_keychain")
	})
}

func TestDoctorOfALockedKeePassXC(t *testing.T) {
	t.Parallel()
	m, w, address, display := onDesktop(t)
	keyringtest.StartKeePassXC(t, address, display, keyringtest.Locked, false)
	unasked(t, address, display, func() {
		d := m.doctor("agentkeys-daemon", "--wallet", w)[0]
		d.has("keychain", "warn", "locked (KeePassXC)")
		d.has("slot", "ok", "in the file")
		d.has("session", "ok", "good until")
		m.with("AGENTKEYS_SESSION_STORE", "keychain").doctor("agentkeys-daemon")[0].has("keychain", "fail", "nothing can be saved")
	})
}

// What Debian installs: KDE Wallet runs, and offers no Secret Service.
func TestDoctorOfKWalletWithoutItsSecretService(t *testing.T) {
	t.Parallel()
	m, _, address, display := onDesktop(t)
	keyringtest.StartKWallet(t, address, display, keyringtest.Locked, false)
	unasked(t, address, display, func() {
		m.doctor("agentkeys-daemon")[0].has("keychain", "ok", "no_owner")
	})
}

func TestDoctorOfKWallet(t *testing.T) {
	t.Parallel()
	m, w, address, display := onDesktop(t)
	k := keyringtest.StartKWallet(t, address, display, keyringtest.Locked, true)
	unasked(t, address, display, func() {
		d := m.doctor("agentkeys-daemon")[0]
		d.has("keychain", "warn", "locked (kwallet)")
		status, says := m.atBoot()
		d.has("session_at_boot", status, says)
	})
	k.Open()
	k.Prompt() // another program has used it
	daemon := m.daemon(w)
	eventually(t, patience, "the session moves to the keychain", func() (string, bool) {
		where := string(headFile(t, m.slot(w))["where"])
		return where, where == `"keychain"`
	})
	daemon.reaches("online")
	daemon.stop()
	unasked(t, address, display, func() {
		d := m.doctor("agentkeys-daemon")[0]
		d.has("keychain", "ok", "unlocked (kwallet)")
		d.has("slot", "ok", "in the keychain")
		d.has("session", "ok", "good until")
		d.has("session_at_boot", "warn", "does not say whether it opens without a person")
	})
	k.Kill()
	m.doctor("agentkeys-daemon")[0].has("keychain", "fail", "no_owner")
}
