package doctor_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/agentkeys/agentkeys/internal/doctor"
	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/words"
)

const (
	name  = "0x00112233445566778899aabbccddeeff00112233"
	home  = "/home/pi/.agentkeys/daemon-" + name
	unit  = "agentkeys-daemon@" + name
	renew = "sudo agentkeys-daemon recover " + name + " --broker URL"
)

var now = time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC)

// healthy is a board with nothing to mend.
func healthy() doctor.Facts {
	return doctor.Facts{
		Now: now, Wallet: name, SessionID: "daemon-" + name, EUID: 1000, Home: "/home/pi/.agentkeys", OfMachine: true,
		Settings: doctor.Settings{Store: "auto", StoreFrom: "default"},
		Clock:    doctor.Clock{Known: true, Synced: true, Floor: now.AddDate(0, -1, 0)},
		Keychain: doctor.Keychain{State: "no_bus", Reason: "there is no session bus"},
		Slot:     &doctor.Slot{Path: home, UID: 1000, Saved: true, Generation: 7, Where: "file", SavedAt: now},
		Session:  &doctor.Session{Servable: true, ExpiresAt: now.AddDate(0, 0, 30)},
		Boot:     &doctor.Boot{Manager: "systemd", System: true, UserName: "pi", Installed: true, UnitsHome: true},
		Socket:   &doctor.Socket{Path: "/run/agentkeys/x/agent.sock", Limit: 107, State: doctor.SocketAnswers, Daemon: &protocol.Status{State: "online"}},
		Broker:   &doctor.Broker{URL: "https://mini.local:8420", Version: "v1"},
	}
}

func TestNothingToMend(t *testing.T) {
	t.Parallel()
	r := doctor.Examine(healthy())
	var names []string
	for _, c := range r.Checks {
		names = append(names, c.Name)
		if c.Status != doctor.OK || c.Hint != "" || c.Message == "" {
			t.Errorf("%+v", c)
		}
	}
	want := []string{
		"settings", "memory", "clock", "keychain", "permissions", "slot", "fence", "session",
		"session_at_boot", "start_at_boot", "readers", "socket", "daemon", "broker", "broker_clock",
	}
	if diff := cmp.Diff(want, names); diff != "" || r.Worst != doctor.OK {
		t.Errorf("worst %s, checks (-want +got):\n%s", r.Worst, diff)
	}
}

func TestJSONHasTheSameFieldsAlways(t *testing.T) {
	t.Parallel()
	got, err := json.Marshal(doctor.Report{Checks: []doctor.Check{{Name: "slot", Status: doctor.OK, Message: "m"}}, Worst: doctor.OK})
	if want := `{"checks":[{"name":"slot","status":"ok","message":"m","hint":""}],"worst":"ok"}`; err != nil || string(got) != want {
		t.Errorf("%s, %v", got, err)
	}
	got, err = json.Marshal(doctor.Report{Wallet: name, SessionID: "daemon-" + name, Checks: []doctor.Check{}, Worst: doctor.Fail})
	if want := `{"wallet":"` + name + `","session_id":"daemon-` + name + `","checks":[],"worst":"fail"}`; err != nil || string(got) != want {
		t.Errorf("%s, %v", got, err)
	}
}

// The worst check is the report's word, whatever was seen; an OK check needs no mending.
func TestWorstIsTheWorst(t *testing.T) {
	t.Parallel()
	pick := func(t *rapid.T, label string, of ...string) string { return rapid.SampledFrom(of).Draw(t, label) }
	rapid.Check(t, func(t *rapid.T) {
		f := healthy()
		f.Keychain.State = rapid.SampledFrom(append(words.KeychainStates(), "")).Draw(t, "state")
		f.Keychain.Provider = pick(t, "provider", "", "gnome-keyring", "KeePassXC", "macos", "unknown")
		f.Keychain.Cipher = pick(t, "cipher", "", doctor.CipherNone, doctor.CipherPassword)
		f.Settings.Store = rapid.SampledFrom([]words.Mode{words.ModeAuto, words.ModeFile, words.ModeKeychain}).Draw(t, "store")
		f.Slot.Where = rapid.SampledFrom([]words.Backend{words.BackendFile, words.BackendKeychain}).Draw(t, "where")
		f.Slot.Saved, f.Slot.Removed = rapid.Bool().Draw(t, "saved"), rapid.Bool().Draw(t, "removed")
		f.Slot.UID = rapid.IntRange(999, 1001).Draw(t, "uid")
		f.Boot.Manager = pick(t, "manager", "", "systemd", "launchd")
		f.Boot.System, f.Boot.User = rapid.Bool().Draw(t, "system"), rapid.Bool().Draw(t, "user")
		f.Socket.State = doctor.SocketState(pick(t, "socket", "absent", "stale", "foreign", "closed"))
		f.Socket.Daemon = nil
		if rapid.Bool().Draw(t, "machine") {
			f.Slot, f.Boot, f.Socket, f.Session, f.Wallet, f.SessionID = nil, nil, nil, nil, "", ""
		}
		r := doctor.Examine(f)
		worst := doctor.OK
		for _, c := range r.Checks {
			if c.Message == "" || c.Status == doctor.OK && c.Hint != "" {
				t.Errorf("%+v", c)
			}
			if c.Status == doctor.Fail || c.Status == doctor.Warn && worst == doctor.OK {
				worst = c.Status
			}
		}
		if r.Worst != worst || len(r.Checks) < 5 {
			t.Errorf("worst %s, want %s: %+v", r.Worst, worst, r.Checks)
		}
	})
}
