package doctor_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/agentkeys/agentkeys/internal/doctor"
	"github.com/agentkeys/agentkeys/internal/doctor/holder"
	"github.com/agentkeys/agentkeys/internal/health/condition"
	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/words"
)

var update = flag.Bool("update", false, "write the golden files")

// situation is a state of a machine that a person may meet.
type situation struct {
	title  string
	change func(*doctor.Facts)
}

// TestSentences holds what doctor says in each situation, for a reader: all of it where
// nothing is wrong, and then the lines that differ. One cause is one line, and no line
// tells what was not looked at.
func TestSentences(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	var usual []string
	for _, s := range append(running(), notRunning()...) {
		f := healthy()
		f.Disk = &doctor.Disk{Path: home, Mount: "ext4 at / (/dev/mmcblk0p2)", Point: "/"}
		f.Holder = holder.Holder{PID: 612, UID: 990, Unit: unit}
		s.change(&f)
		out.WriteString("## " + s.title + "\n")
		var report bytes.Buffer
		if err := (doctor.View{Verbose: true}).Print(&report, []doctor.Report{doctor.Examine(f)}); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(strings.ReplaceAll(report.String(), name, "0xW")) {
			if !slices.Contains(usual, line) { // that stands above already
				out.WriteString(line)
			}
			if s.title == "online" {
				usual = append(usual, line)
			}
		}
		out.WriteString("\n")
	}
	path := filepath.Join("testdata", "sentences.txt")
	if *update {
		if err := os.WriteFile(path, out.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), out.String()); diff != "" {
		t.Errorf("-golden +said (-update to accept):\n%s", diff)
	}
}

// says makes the daemon tell its state and conditions, with a detail for the first.
func says(state words.State, detail string, codes ...condition.Code) func(*doctor.Facts) {
	return func(f *doctor.Facts) {
		f.Socket.Daemon = &protocol.Status{State: state, Storage: protocol.StatusStorage{KeychainState: f.Keychain.State}}
		for i, code := range codes {
			d, _ := condition.Of(string(code), "", name)
			c := protocol.StatusCondition{Code: string(code), Severity: string(d.Severity), Message: d.Message, Hint: condition.AsRoot(d.Hint)}
			if i == 0 && detail != "" {
				c.Message += ": " + detail
			}
			f.Socket.Daemon.Conditions = append(f.Socket.Daemon.Conditions, c)
		}
	}
}

func all(changes ...func(*doctor.Facts)) func(*doctor.Facts) {
	return func(f *doctor.Facts) {
		for _, change := range changes {
			change(f)
		}
	}
}

func inKeychain(state words.KeychainState, provider string) func(*doctor.Facts) {
	return func(f *doctor.Facts) {
		own(f)
		f.Slot.Where, f.Boot.Lingering = "keychain", true
		f.Keychain = doctor.Keychain{State: state, Provider: provider, Cipher: doctor.CipherPassword}
		if state != "unlocked" {
			f.Session, f.Keychain.Reason = nil, "the login collection is "+string(state)
		}
	}
}

// own is an agent of a user, whose own service manager runs it.
func own(f *doctor.Facts) {
	f.OfMachine, f.Holder = false, holder.Holder{PID: 4711, UID: 1000, Unit: unit, User: true}
	f.Boot = &doctor.Boot{Manager: "systemd", User: true, UserUnit: true, UserName: "pi", Lingering: true}
	f.Socket.Path = "/run/user/1000/agentkeys/" + name + "/agent.sock"
}

// terminal is an agent of a user who started the daemon by hand.
func terminal(f *doctor.Facts) {
	own(f)
	f.Boot.User, f.Holder = false, holder.Holder{PID: 4711, UID: 1000}
}

func brokerAway(f *doctor.Facts) {
	f.Broker = &doctor.Broker{URL: "https://mini.local:8420", Away: "dial tcp 192.0.2.7:8420: connect: connection refused"}
}

func noSession(f *doctor.Facts) { f.Slot.Saved, f.Session, f.Broker = false, nil, &doctor.Broker{} }

func running() []situation {
	const refused = "dial tcp 192.0.2.7:8420: connect: connection refused"
	readOnly := func(f *doctor.Facts) {
		f.Disk = &doctor.Disk{Path: home, Mount: "ext4 at /srv/my disk (/dev/sda1)", Point: "/srv/my disk", ReadOnly: true}
	}
	ended := func(f *doctor.Facts) { f.Session.Ended = "session_revoked" }
	return []situation{
		{"online", func(*doctor.Facts) {}},
		{"starting", says("starting", "")},
		{"offline: the broker is away", all(brokerAway, says("offline", refused, condition.BrokerAway))},
		{"offline for longer than the owner allows", all(brokerAway, says("offline", refused, condition.BrokerAway, condition.RenewalFailing, condition.OfflineTooLong))},
		{"offline, but the broker answers doctor", says("offline", refused, condition.BrokerAway)},
		{"offline: another broker in its place", all(func(f *doctor.Facts) { brokerAway(f); f.Broker.Certificate = true }, says("offline", "pin", condition.BrokerCertificateChanged, condition.OfflineTooLong))},
		{"offline: the session lapsed", says("offline", "session_expired (HTTP 401)", condition.BrokerAway, condition.SessionExpired, condition.RenewalFailing)},
		{"parked", says("parked", "", condition.CloneSuspected, condition.RenewalFailing)},
		{"revoked", all(ended, says("revoked", "", condition.SessionRevoked, condition.RenewalFailing))},
		{"revoked, and the card could not be written", all(readOnly, says("revoked", "", condition.StateReadOnly, condition.SessionRevoked))},
		{"waiting: the keychain is locked", all(inKeychain("locked", "gnome-keyring"), says("waiting_for_keychain", "keychain locked", condition.KeychainLocked))},
		{"waiting: the keychain hangs", all(inKeychain("hung", "gnome-keyring"), says("waiting_for_keychain", "keychain hung", condition.KeychainUnavailable))},
		{"waiting: there is no bus", all(inKeychain("no_bus", ""), says("waiting_for_keychain", "keychain no_bus", condition.KeychainUnavailable))},
		{"waiting: the keychain is not to be used", all(inKeychain("disabled", ""), func(f *doctor.Facts) { f.Keychain.Why = "session_store is file (/etc/agentkeys/daemon.toml)" }, says("waiting_for_keychain", "keychain disabled", condition.KeychainUnavailable))},
		{"blocked: insecure", all(noSession, func(f *doctor.Facts) {
			f.Slot.Insecure = []doctor.Insecure{{Path: home + "/session.json", What: "mode 0644, must be 0600", Fix: "chmod 600 " + home + "/session.json"}}
		}, says("blocked", "mode 0644", condition.SlotInsecure))},
		{"blocked: corrupt", all(noSession, func(f *doctor.Facts) { f.Slot.Corrupt = "corrupt session file" }, says("blocked", "corrupt", condition.SlotCorrupt))},
		{"blocked: of a newer version", all(noSession, func(f *doctor.Facts) { f.Slot.Newer = true }, says("blocked", "newer", condition.SlotCorrupt))},
		{"blocked: inconsistent", all(inKeychain("unlocked", "gnome-keyring"), func(f *doctor.Facts) { f.Session = &doctor.Session{Inconsistent: true} }, says("blocked", "", condition.SlotInconsistent))},
		{"no device keys", all(func(f *doctor.Facts) { f.Session.Servable = false }, says("online", "", condition.DeviceKeyMissing))},
		{"the disk is read only", all(readOnly, says("online", "", condition.StateReadOnly, condition.RenewalFailing))},
		{"read only in the unit's sandbox", says("online", "", condition.StateReadOnly, condition.RenewalFailing)},
		{"read only a moment ago, daemon of a terminal", all(terminal, says("online", "", condition.StateReadOnly))},
		{"the disk is full", all(func(f *doctor.Facts) { f.Disk.Full = true }, says("online", "", condition.NoSpace, condition.RenewalFailing))},
		{"a quota is used up", says("online", "", condition.NoSpace, condition.RenewalFailing)},
		{"the keychain owes an answer", all(own, func(f *doctor.Facts) {
			f.Keychain = doctor.Keychain{State: "hung", Provider: "gnome-keyring"}
			f.Slot.Doubt = &doctor.Doubt{Operation: "put", Generation: 6, Since: now}
		}, says("online", "", condition.FellBackToFile, condition.StoreInDoubt))},
		{"the settings are refused", all(func(f *doctor.Facts) {
			f.Settings.Problems = []string{"/etc/agentkeys/daemon.toml: unknown key borker"}
			f.Keychain = doctor.Keychain{Why: "the settings were not understood"}
		}, says("online", "unknown key borker", condition.SettingsRefused))},
		{"the clock of 1970", all(func(f *doctor.Facts) { f.Now = now.AddDate(-56, 0, 0); f.Broker.Offset = 56 * 365 * 24 * 3600e9 }, says("online", "", condition.ClockNotSet, condition.ClockWrong))},
		{"the manifest is refused", says("online", "not signed by the owner", condition.ManifestRefused)},
		{"a credential is withheld", says("online", "openrouter", condition.RecordWithheld)},
		{"a home in memory", func(f *doctor.Facts) {
			f.Slot.Volatile = home + " lies on tmpfs at /home: what is kept there is gone after a reboot"
		}},
		{"a home whose directories cannot be synced", func(f *doctor.Facts) { f.Slot.NoSync = "vboxsf at /home" }},
		{"an owner whose journal is nearly full", ofOwner(doctor.Journal{Size: 200 << 20, Warn: 192 << 20, Limit: 256 << 20})},
		{"an owner whose journal is refused", ofOwner(doctor.Journal{Unread: "read manifests.json: invalid JSON document"})},
		{"the broker's disk is full", func(f *doctor.Facts) { f.Broker.ReadOnly = "its disk is full" }},
		{"the broker's disk is full for days", all(func(f *doctor.Facts) { f.Broker.ReadOnly = "its disk is full" }, says("online", "read_only (HTTP 503)", condition.RenewalFailing))},
		{"the metrics have no address", all(func(f *doctor.Facts) {
			f.Metrics = &doctor.Listener{Address: "127.0.0.1:9479", From: "/etc/agentkeys/daemon.toml", Holder: "nginx (pid 7)"}
		}, says("online", "127.0.0.1:9479 is taken by nginx (pid 7)", condition.MetricsUnavailable))},
		{"the renewal fails for itself", says("online", "denied (HTTP 403)", condition.RenewalFailing)},
	}
}

func notRunning() []situation {
	at := func(s doctor.SocketState, err string) func(*doctor.Facts) {
		return func(f *doctor.Facts) {
			f.Socket = &doctor.Socket{Path: f.Socket.Path, Limit: 107, State: s, Err: err, UID: -1}
			if s != doctor.SocketSilent {
				f.Holder = holder.Holder{}
			}
		}
	}
	return []situation{
		{"nothing is paired", func(f *doctor.Facts) {
			*f = doctor.Facts{Now: now, EUID: 1000, Home: "/home/pi/.agentkeys", Settings: f.Settings, Clock: f.Clock, Keychain: f.Keychain, Disk: f.Disk}
		}},
		{"not running", at(doctor.SocketAbsent, "")},
		{"not running, an agent of a user", all(terminal, at(doctor.SocketAbsent, ""))},
		{"not running, killed", at(doctor.SocketStale, "")},
		{"not running, the keychain is locked", all(inKeychain("locked", "gnome-keyring"), at(doctor.SocketAbsent, ""))},
		{"not running, something lies in the socket's place", at(doctor.SocketForeign, "")},
		{"not running, never paired", all(noSession, at(doctor.SocketAbsent, ""))},
		{"not running, removed", all(noSession, func(f *doctor.Facts) { f.Slot.Removed = true }, at(doctor.SocketAbsent, ""))},
		{"runs where this environment does not look", all(at(doctor.SocketAbsent, ""), func(f *doctor.Facts) { terminal(f); f.Holder = holder.Holder{PID: 4711, UID: 1000} })},
		{"hangs, a unit", at(doctor.SocketSilent, "context deadline exceeded")},
		{"hangs, in a terminal", all(terminal, at(doctor.SocketSilent, "context deadline exceeded"))},
		{"the socket's directory is closed", all(noSession, at(doctor.SocketClosed, "permission denied on its directory"))},
		{"this user is refused", all(noSession, at(doctor.SocketClosed, "the daemon's rules do not let this caller ask"))},
		{"the daemon is in another container", all(terminal, at(doctor.SocketClosed, protocol.DetailOtherPIDs), func(f *doctor.Facts) { f.Socket.Namespace = true })},
		{"no service manager", all(terminal, at(doctor.SocketAbsent, ""), func(f *doctor.Facts) { f.Boot.Manager = "" })},
	}
}

// ofOwner makes the facts those of an owner's slot with that journal.
func ofOwner(j doctor.Journal) func(*doctor.Facts) {
	j.Name = "manifests.json"
	return func(f *doctor.Facts) {
		f.Wallet, f.SessionID, f.Journal = "", "master", &j
		f.Socket, f.Boot = nil, nil
	}
}
