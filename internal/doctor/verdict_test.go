package doctor_test

import (
	"strings"
	"testing"
	"time"

	"github.com/agentkeys/agentkeys/internal/doctor"
	"github.com/agentkeys/agentkeys/internal/doctor/holder"
	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/words"
)

// verdict is one row: what differs from a healthy board and what is said of it.
type verdict struct {
	change func(*doctor.Facts)
	check  string
	status doctor.Status
	says   string // part of the message
	hint   string // exactly
}

func TestVerdicts(t *testing.T) {
	t.Parallel()
	for _, table := range []map[string]verdict{machineVerdicts(), brokerVerdicts(), slotVerdicts(), keychainVerdicts(), bootVerdicts(), socketVerdicts(), metricsVerdicts()} {
		for title, v := range table {
			t.Run(title, func(t *testing.T) {
				t.Parallel()
				f := healthy()
				v.change(&f)
				r := doctor.Examine(f)
				for _, c := range r.Checks {
					if c.Name == v.check && strings.Contains(c.Message, v.says) {
						if c.Status != v.status || c.Hint != v.hint {
							t.Errorf("got %s %q, hint %q", c.Status, c.Message, c.Hint)
						}
						return
					}
				}
				t.Errorf("nobody says %q: %+v", v.says, r.Checks)
			})
		}
	}
}

func machineVerdicts() map[string]verdict {
	const ntp, print = "sudo timedatectl set-ntp true", "man agentkeys-daemon.toml"
	return map[string]verdict{
		"settings with a typo": {func(f *doctor.Facts) { f.Settings.Problems = []string{"unknown key borker", "other"} }, "settings", doctor.Fail, "borker", print},
		"every problem":        {func(f *doctor.Facts) { f.Settings.Problems = []string{"unknown key borker", "other"} }, "settings", doctor.Fail, "other", print},
		"dumpable":             {func(f *doctor.Facts) { f.Memory.Dumpable = true }, "memory", doctor.Warn, "may read the memory", ""},
		"core files":           {func(f *doctor.Facts) { f.Memory.CoreLimit = 1 }, "memory", doctor.Warn, "core file", ""},
		"swap on a disk":       {func(f *doctor.Facts) { f.Memory.Swap = "/dev/sda2" }, "memory", doctor.Warn, "/dev/sda2", ""},
		"swap on the card":     {func(f *doctor.Facts) { f.Memory.Swap, f.Memory.Cmdline = "/var/swap", true }, "memory", doctor.Warn, "/var/swap", "sudo sed -i 's/$/ cgroup_enable=memory/' /boot/firmware/cmdline.txt && sudo reboot"},
		"a silent kernel":      {func(f *doctor.Facts) { f.Memory.Err = "EPERM" }, "memory", doctor.Warn, "EPERM", ""},

		"the clock of 1970":          {func(f *doctor.Facts) { f.Now = time.Unix(30, 0) }, "clock", doctor.Warn, "not set", ntp},
		"before the build":           {func(f *doctor.Facts) { f.Clock.Floor = now.Add(time.Hour) }, "clock", doctor.Warn, "certainly past", ntp},
		"no floor is known":          {func(f *doctor.Facts) { f.Clock.Floor = time.Time{} }, "clock", doctor.OK, "synchronised", ""},
		"not synchronised":           {func(f *doctor.Facts) { f.Clock.Synced = false }, "clock", doctor.Warn, "not synchronised", ntp},
		"a system that says nothing": {func(f *doctor.Facts) { f.Clock = doctor.Clock{} }, "clock", doctor.OK, "does not say", ""},
		"far from the broker":        {func(f *doctor.Facts) { f.Broker.Offset = -6 * time.Minute }, "broker_clock", doctor.Warn, "-6m0s", ntp},
		"the broker's clock jumped":  {func(f *doctor.Facts) { f.Broker.ClockHeld = true }, "broker_clock", doctor.Warn, "no session lapses", doctor.HintBrokerClock},
		"near the broker":            {func(f *doctor.Facts) { f.Broker.Offset = 4 * time.Minute }, "broker_clock", doctor.OK, "within", ""},
	}
}

// owner turns the facts into those of a laptop's own slot.
func owner(f *doctor.Facts) {
	f.Wallet, f.SessionID, f.Boot, f.Socket = "", "master", nil, nil
}

func slotVerdicts() map[string]verdict {
	file := home + "/session.json"
	insecure := []doctor.Insecure{{Path: file, What: "mode 0644, must be 0600", Fix: "chmod 600 " + file}, {Path: home, What: "mode 0755", Fix: "chmod 700 " + home}}
	unread := func(f *doctor.Facts) {
		f.Slot.Saved, f.Session = false, nil
		f.Socket = &doctor.Socket{State: doctor.SocketAbsent}
	}
	doubt := func(over bool) func(*doctor.Facts) {
		return func(f *doctor.Facts) {
			f.Slot.Doubt = &doctor.Doubt{Operation: "put", Generation: 6, Since: now.Add(-time.Hour), Over: over}
		}
	}
	return map[string]verdict{
		"each wrong mode":       {func(f *doctor.Facts) { unread(f); f.Slot.Insecure = insecure }, "permissions", doctor.Fail, "mode 0644", "chmod 600 " + file},
		"each wrong directory":  {func(f *doctor.Facts) { unread(f); f.Slot.Insecure = insecure }, "permissions", doctor.Fail, "mode 0755", "chmod 700 " + home},
		"corrupt":               {func(f *doctor.Facts) { unread(f); f.Slot.Corrupt = "corrupt session file" }, "slot", doctor.Fail, "corrupt", renew},
		"of a newer version":    {func(f *doctor.Facts) { unread(f); f.Slot.Newer = true }, "slot", doctor.Fail, "newer", "upgrade agentkeys"},
		"the disk":              {func(f *doctor.Facts) { unread(f); f.Slot.Unread = "read: input/output error" }, "slot", doctor.Fail, "input/output", ""},
		"removed":               {func(f *doctor.Facts) { f.Slot.Removed, f.Session = true, nil }, "slot", doctor.Fail, "removed", renew},
		"never paired":          {unread, "slot", doctor.Fail, "not paired", renew},
		"another user's daemon": {func(f *doctor.Facts) { unread(f); f.Socket.State = doctor.SocketAnswers }, "slot", doctor.Warn, "another user", "sudo agentkeys-daemon doctor --wallet " + name},
		"a daemon of --run-as":  {func(f *doctor.Facts) { unread(f); f.Socket.State, f.Socket.UID = doctor.SocketAnswers, f.EUID }, "slot", doctor.Warn, "the package's units", "sudo agentkeys-daemon doctor --wallet " + name},
		"another's, as root": {func(f *doctor.Facts) {
			unread(f)
			f.EUID, f.Socket = 0, &doctor.Socket{State: doctor.SocketAnswers, UID: 1000}
		}, "slot", doctor.Warn, "another user", "sudo -u '#1000' -H agentkeys-daemon doctor --wallet " + name},
		"no account":            {func(f *doctor.Facts) { owner(f); unread(f) }, "slot", doctor.Fail, "no session", "agentkeys init"},
		"nothing on machine":    {func(f *doctor.Facts) { *f = doctor.Facts{Now: now, Keychain: f.Keychain} }, "slot", doctor.Warn, "no session", "agentkeys-daemon pair --broker URL"},
		"where and generation":  {func(*doctor.Facts) {}, "slot", doctor.OK, "generation 7, in the file", ""},
		"a fence":               {doubt(false), "fence", doctor.Warn, "since 2026-05-04T02:02:01Z", "agentkeys-daemon probe"},
		"a fence that is over":  {doubt(true), "fence", doctor.Warn, "clears it", ""},
		"an owner's fence":      {func(f *doctor.Facts) { doubt(true)(f); owner(f) }, "fence", doctor.Warn, "did not confirm a put", "agentkeys whoami"},
		"inconsistent":          {func(f *doctor.Facts) { f.Session.Inconsistent = true }, "session", doctor.Fail, "disagree", renew},
		"keychain gave nothing": {func(f *doctor.Facts) { f.Session.Unread = "keychain hung" }, "session", doctor.Fail, "keychain hung", "agentkeys-daemon probe"},
		"revoked":               {func(f *doctor.Facts) { f.Session.Ended = "session_revoked" }, "session", doctor.Fail, "session_revoked", renew},
		"no device keys":        {func(f *doctor.Facts) { f.Session.Servable = false }, "session", doctor.Fail, "device keys", renew},
		"expired by our clock":  {func(f *doctor.Facts) { f.Session.ExpiresAt = now.Add(-time.Second) }, "session", doctor.Warn, "only the broker ends it", renew},
	}
}

func keychainVerdicts() map[string]verdict {
	state := func(state words.KeychainState, where words.Backend, store words.Mode) func(*doctor.Facts) {
		return func(f *doctor.Facts) {
			f.Keychain = doctor.Keychain{State: state, Provider: "gnome-keyring", Why: "session_store is file (default)"}
			f.Slot.Where, f.Settings.Store = where, store
		}
	}
	anothers := func(says words.KeychainState) func(*doctor.Facts) {
		return func(f *doctor.Facts) {
			state("disabled", "keychain", "auto")(f)
			f.EUID, f.Socket.Daemon.Storage.KeychainState, f.Boot.UnitsHome = 0, says, false
		}
	}
	const probe = "agentkeys-daemon probe"
	as := "sudo -u '#1000' XDG_RUNTIME_DIR=/run/user/1000 agentkeys-daemon doctor --wallet " + name
	return map[string]verdict{
		"locked, session in it":              {state("locked", "keychain", "auto"), "keychain", doctor.Fail, "cannot be read now", probe},
		"gone, session in it":                {state("no_bus", "keychain", "auto"), "keychain", doctor.Fail, "no_bus", probe},
		"locked, session in the file":        {state("locked", "file", "auto"), "keychain", doctor.Warn, "kept in the file", probe},
		"hung, session in the file":          {state("hung", "file", "auto"), "keychain", doctor.Warn, "hung", probe},
		"none, session in the file":          {state("no_owner", "file", "auto"), "keychain", doctor.OK, "kept in the file", ""},
		"unlocked":                           {state("unlocked", "keychain", "auto"), "keychain", doctor.OK, "unlocked (gnome-keyring)", ""},
		"KeePassXC holds it":                 {state("prompts_on_write", "keychain", "auto"), "keychain", doctor.Warn, "next save", ""},
		"keychain alone, and there is none":  {state("no_bus", "file", "keychain"), "keychain", doctor.Fail, "nothing can be saved", probe},
		"set to file, session in the file":   {state("disabled", "file", "file"), "keychain", doctor.OK, "session_store is file", ""},
		"set to file, session in it":         {state("disabled", "keychain", "file"), "keychain", doctor.Fail, "not to be used", "agentkeys-daemon run --wallet " + name + " --session-store auto"},
		"an owner's, set to file":            {func(f *doctor.Facts) { state("disabled", "keychain", "file")(f); owner(f) }, "keychain", doctor.Fail, "not to be used", "AGENTKEYS_SESSION_STORE=auto agentkeys whoami"},
		"a home in memory":                   {inMemory, "session_at_boot", doctor.Warn, "no: /run/h lies on tmpfs at /run", "export AGENTKEYS_HOME=DIR   (DIR on a disk; then pair or init anew, before the session is gone)"},
		"no sync of directories":             {noDirSync, "power_cut", doctor.Warn, "vboxsf at /media/sf cannot sync directories", ""},
		"another user's, after a reboot":     {anothers("unlocked"), "session_at_boot", doctor.Warn, "uid 1000", as},
		"settings broken":                    {func(f *doctor.Facts) { f.Keychain = doctor.Keychain{Why: "settings"} }, "keychain", doctor.Warn, "settings", ""},
		"settings broken, session in it":     {func(f *doctor.Facts) { f.Keychain = doctor.Keychain{Why: "settings"}; f.Slot.Where = "keychain" }, "keychain", doctor.Fail, "settings", ""},
		"a unit's, nobody says":              {func(f *doctor.Facts) { anothers("")(f); f.Boot.UnitsHome = true }, "keychain", doctor.Warn, "uid 1000", "sudo -u '#1000' XDG_RUNTIME_DIR=/run/user/1000 " + probe},
		"the units' user has no keychain":    {func(f *doctor.Facts) { anothers("")(f); f.Boot.UnitsHome, f.Boot.Shared = true, true }, "keychain", doctor.Warn, "uid 1000", renew},
		"nor when its daemon waits":          {func(f *doctor.Facts) { anothers("no_bus")(f); f.Boot.UnitsHome, f.Boot.Shared = true, true }, "keychain", doctor.Fail, "no_bus", renew},
		"nor when it looks itself":           {func(f *doctor.Facts) { state("no_bus", "keychain", "auto")(f); f.Boot.Shared = true }, "keychain", doctor.Fail, "no_bus", renew},
		"another user's, nobody says":        {anothers(""), "keychain", doctor.Warn, "uid 1000", as},
		"another user's, its daemon says":    {anothers("unlocked"), "keychain", doctor.OK, "says the daemon", ""},
		"another user's, its daemon waits":   {anothers("locked"), "keychain", doctor.Fail, "locked, says the daemon", as},
		"a locked keychain of macOS":         {func(f *doctor.Facts) { state("locked", "keychain", "auto")(f); f.Keychain.Provider = "macos" }, "keychain", doctor.Fail, "locked (macos)", "security unlock-keychain"},
		"a provider that nobody can name":    {func(f *doctor.Facts) { state("unlocked", "file", "auto")(f); f.Keychain.Provider = "unknown" }, "keychain", doctor.OK, "unlocked", ""},
		"an owner's session, keychain locks": {func(f *doctor.Facts) { state("locked", "keychain", "auto")(f); owner(f) }, "keychain", doctor.Fail, "locked", probe},
	}
}

func bootVerdicts() map[string]verdict {
	toFile := strings.TrimPrefix(renew, "sudo ") + " --session-store file"
	const toUnits = renew + " --run-as agentkeys"
	kept := func(provider, cipher string, linger bool) func(*doctor.Facts) {
		return func(f *doctor.Facts) {
			f.Slot.Where, f.Boot.Lingering, f.Boot.UnitsHome, f.OfMachine = "keychain", linger, false, false
			f.Keychain = doctor.Keychain{State: "unlocked", Provider: provider, Cipher: cipher}
		}
	}
	by := func(b doctor.Boot) func(*doctor.Facts) {
		return func(f *doctor.Facts) { b.UserName = "pi"; f.Boot = &b }
	}
	desktop := func(linger bool) func(*doctor.Facts) {
		return func(f *doctor.Facts) {
			f.EUID, f.Slot.Where, f.Boot.RunsAs, f.Boot.Lingering = 0, "keychain", "pi", linger
		}
	}
	const opens, starts, linger = "session_at_boot", "start_at_boot", "sudo loginctl enable-linger pi"
	const install = "sudo apt install ./agentkeys_*.deb"
	return map[string]verdict{
		"file opens by itself":                 {func(*doctor.Facts) {}, opens, doctor.OK, "yes: it is in the file", ""},
		"keyring with a password":              {kept("gnome-keyring", doctor.CipherPassword, true), opens, doctor.Warn, "no: the keyring has a password", toFile},
		"keyring without a password":           {kept("gnome-keyring", doctor.CipherNone, true), opens, doctor.OK, "plain text on this disk", ""},
		"keyring without a password, no login": {kept("gnome-keyring", doctor.CipherNone, false), opens, doctor.Warn, "only while pi is logged in", linger},
		"keyring whose file is not found":      {kept("gnome-keyring", "", true), opens, doctor.Warn, "cannot be told", toFile},
		"KeePassXC":                            {kept("KeePassXC", "", true), opens, doctor.Warn, "not known", toFile},
		"macOS":                                {kept("macos", "", true), opens, doctor.Warn, "after pi has logged in", ""},

		"KeePassXC of a unit": {func(f *doctor.Facts) { kept("KeePassXC", "", true)(f); f.Boot.UnitsHome = true }, opens, doctor.Warn, "not known", toUnits},

		"system unit":                 {by(doctor.Boot{Manager: "systemd", System: true, Installed: true}), starts, doctor.OK, "yes", ""},
		"system unit without a file":  {by(doctor.Boot{Manager: "systemd", System: true}), starts, doctor.Fail, "not installed", install},
		"desktop user with lingering": {desktop(true), starts, doctor.OK, "yes", ""},
		"desktop user, no lingering":  {desktop(false), starts, doctor.Warn, "while that user is logged in", linger},
		"desktop user":                {desktop(true), "runs_as", doctor.OK, "pi", ""},
		"a drop-in that is not ours":  {by(doctor.Boot{Manager: "systemd", Foreign: "/x.conf"}), "runs_as", doctor.Warn, "leaves it alone", "sudo mv /x.conf /x.conf.aside"},
		"readers of a user's own":     {func(*doctor.Facts) {}, "readers", doctor.OK, "every program of pi can read this wallet", ""},
		"readers of the package's":    {func(f *doctor.Facts) { f.Boot.Shared = true }, "readers", doctor.OK, "whom the settings allow", ""},
		"no unit, in the units' home": {by(doctor.Boot{Manager: "systemd", UnitsHome: true}), starts, doctor.Warn, "not installed", install},
		"not enabled, for the user":   {by(doctor.Boot{Manager: "systemd", UserUnit: true}), starts, doctor.Warn, "for pi", "systemctl --user enable --now " + unit},
		"no unit at all":              {by(doctor.Boot{Manager: "systemd"}), starts, doctor.Warn, "nothing starts it", ""},
		"user unit with lingering":    {by(doctor.Boot{Manager: "systemd", User: true, Lingering: true}), starts, doctor.OK, "session begins at boot", ""},
		"user unit without lingering": {by(doctor.Boot{Manager: "systemd", User: true}), starts, doctor.Warn, "only starts when", linger},
		"not enabled":                 {by(doctor.Boot{Manager: "systemd", UnitsHome: true, Installed: true}), starts, doctor.Warn, "not enabled", "sudo systemctl enable --now " + unit},
		"a container":                 {by(doctor.Boot{}), starts, doctor.Warn, "not known", ""},
		"a LaunchDaemon":              {by(doctor.Boot{Manager: "launchd", System: true}), starts, doctor.OK, "LaunchDaemon", ""},
		"a LaunchAgent, automatic":    {by(doctor.Boot{Manager: "launchd", User: true, Lingering: true}), starts, doctor.OK, "automatically", ""},
		"a LaunchAgent":               {by(doctor.Boot{Manager: "launchd", User: true}), starts, doctor.Warn, "automatic login is off", ""},
		"no LaunchAgent":              {by(doctor.Boot{Manager: "launchd"}), starts, doctor.Warn, "no LaunchAgent", ""},
	}
}

func socketVerdicts() map[string]verdict {
	at := func(s doctor.SocketState) func(*doctor.Facts) {
		return func(f *doctor.Facts) {
			f.Socket = &doctor.Socket{Path: "/run/s", Limit: 107, State: s, Err: "why"}
			f.Boot.System, f.Holder = false, holder.Holder{}
			if s == doctor.SocketSilent {
				f.Holder = holder.Holder{PID: 4711, UID: 1000}
			}
		}
	}
	says := func(state words.State) func(*doctor.Facts) {
		return func(f *doctor.Facts) { f.Socket.Daemon.State = state }
	}
	condition := func(severity string) func(*doctor.Facts) {
		return func(f *doctor.Facts) {
			f.Socket.Daemon.Conditions = []protocol.StatusCondition{{Code: "no_space", Severity: severity, Message: "full", Hint: "df -h"}}
		}
	}
	start := "sudo systemctl start " + unit
	return map[string]verdict{
		"stale socket":        {at(doctor.SocketStale), "socket", doctor.Warn, "stale", start},
		"no socket":           {at(doctor.SocketAbsent), "socket", doctor.OK, "is free", ""},
		"a file in the way":   {at(doctor.SocketForeign), "socket", doctor.Fail, "no socket", "sudo mv /run/s /run/s.aside"},
		"closed to this user": {at(doctor.SocketClosed), "socket", doctor.Warn, "why", "sudo agentkeys-daemon doctor --wallet " + name},
		"closed to root":      {func(f *doctor.Facts) { at(doctor.SocketClosed)(f); f.EUID = 0 }, "socket", doctor.Warn, "why", ""},
		"hung or garbage":     {at(doctor.SocketSilent), "socket", doctor.Fail, "does not answer: why (process 4711, which no unit started)", "kill 4711"},
		"hung, a user's unit": {func(f *doctor.Facts) {
			at(doctor.SocketSilent)(f)
			f.Holder = holder.Holder{PID: 4711, UID: 1000, Unit: unit, User: true}
		}, "socket", doctor.Fail, "not", "systemctl --user restart " + unit},
		"hung, the machine's unit": {func(f *doctor.Facts) {
			at(doctor.SocketSilent)(f)
			f.Holder = holder.Holder{PID: 4711, UID: 990, Unit: unit}
		}, "socket", doctor.Fail, "not", "sudo systemctl restart " + unit},
		"too long a path":              {func(f *doctor.Facts) { at(doctor.SocketAbsent)(f); f.Socket.Limit = 5 }, "socket", doctor.Fail, "allows 5", "export XDG_RUNTIME_DIR=/run/user/$(id -u)"},
		"not running":                  {at(doctor.SocketAbsent), "daemon", doctor.Warn, "not running", start},
		"not running, but enabled":     {func(f *doctor.Facts) { at(doctor.SocketAbsent)(f); f.Boot.System = true }, "daemon", doctor.Fail, "though", start},
		"not running, a user's unit":   {func(f *doctor.Facts) { at(doctor.SocketAbsent)(f); f.Boot.User = true }, "daemon", doctor.Warn, "not", "systemctl --user start " + unit},
		"not running, no systemd":      {func(f *doctor.Facts) { at(doctor.SocketAbsent)(f); f.Boot.Manager = "" }, "daemon", doctor.Warn, "not", "agentkeys-daemon run --wallet " + name},
		"offline":                      {says("offline"), "daemon", doctor.Warn, "offline", ""},
		"revoked":                      {says("revoked"), "daemon", doctor.Fail, "revoked", renew},
		"parked":                       {says("parked"), "daemon", doctor.Fail, "parked", renew},
		"blocked":                      {says("blocked"), "daemon", doctor.Fail, "blocked", "agentkeys-daemon status --wallet " + name},
		"waiting for the keychain":     {says("waiting_for_keychain"), "daemon", doctor.Fail, "waiting", "agentkeys-daemon probe"},
		"a warning of the daemon":      {condition("warning"), "no_space", doctor.Warn, "full", "df -h"},
		"an error of the daemon":       {condition("error"), "no_space", doctor.Fail, "full", "df -h"},
		"a daemon that answers, so on": {func(*doctor.Facts) {}, "socket", doctor.OK, "answers", ""},
	}
}
