package doctor

import (
	"slices"
	"strings"

	"github.com/agentkeys/agentkeys/internal/health/condition"
	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/words"
)

const (
	managerSystemd = "systemd"
	managerLaunchd = "launchd"

	hintInstall = "sudo apt install ./agentkeys_*.deb"
	hintDoctor  = "agentkeys-daemon doctor --wallet "
	hintStatus  = "agentkeys-daemon status --wallet "
)

// startAtBoot checks whether something starts the instance at boot.
func (f Facts) startAtBoot() []finding {
	if f.Boot == nil {
		return nil
	}
	switch f.Boot.Manager {
	case managerSystemd:
		return one(f.systemd())
	case managerLaunchd:
		return one(f.launchd())
	}
	return one(warn("start_at_boot", "", "not known: no service manager runs here, so whatever starts this machine or container must start it"))
}

func (f Facts) systemd() finding {
	const name = "start_at_boot"
	unit := "agentkeys-daemon@" + f.Wallet
	switch b := f.Boot; {
	case b.System && !b.Installed:
		return fail(name, hintInstall, "no: %s is enabled, but the package's unit is not installed", unit)
	case b.System && b.RunsAs != "" && f.inKeychain() && !b.Lingering:
		return warn(name, f.linger(), "yes: %s is enabled; but the keyring of %s may run only while that user is logged in", unit, f.user())
	case b.System:
		return ok(name, "yes: %s is enabled", unit)
	case b.User && b.Lingering:
		return ok(name, "yes: %s is enabled for %s, whose session begins at boot", unit, f.user())
	case b.User:
		return warn(name, f.linger(), "no: %s is enabled for %s, but only starts when that user logs in", unit, f.user())
	}
	return f.notEnabled(unit)
}

// notEnabled names the unit that finds the slot. In a home of its own, a user's unit does.
func (f Facts) notEnabled(unit string) finding {
	const name = "start_at_boot"
	switch b := f.Boot; {
	case b.UnitsHome && !b.Installed:
		return warn(name, hintInstall, "no: the package's unit is not installed")
	case b.UnitsHome:
		return warn(name, "sudo systemctl enable "+f.now()+unit, "no: %s is not enabled", unit)
	case b.UserUnit:
		return warn(name, "systemctl --user enable "+f.now()+unit, "no: %s is not enabled for %s", unit, f.user())
	}
	return warn(name, "", "no: nothing starts it, and the unit of the package agentkeys, which would, is not installed")
}

// now starts the unit when it is enabled, unless a daemon that was started otherwise runs.
func (f Facts) now() string {
	if f.Holder.Seen() && f.Holder.Unit == "" {
		return ""
	}
	return "--now "
}

// runsAs checks the drop-in of pair --run-as.
func (f Facts) runsAs() []finding {
	const name = "runs_as"
	switch b := f.Boot; {
	case b == nil:
		return nil
	case b.Foreign != "":
		return one(warn(name, "sudo mv "+b.Foreign+" "+b.Foreign+".aside", "%s was not written by agentkeys-daemon, which leaves it alone", b.Foreign))
	case b.RunsAs != "":
		return one(ok(name, "%s, by the drop-in of pair --run-as", b.RunsAs))
	}
	return nil
}

// readers says that every program of the user of a user's own instance can read the wallet, since
// the same keyring and files are open to it.
func (f Facts) readers() []finding {
	const name = "readers"
	switch b := f.Boot; {
	case b == nil || b.UserName == "" || !f.Slot.live() && (f.Socket == nil || f.Socket.UID < 0): // the user is not known
		return nil
	case b.Shared:
		return one(ok(name, "whom the settings allow, by default root"))
	}
	return one(ok(name, "every program of %s can read this wallet", f.user()))
}

func (f Facts) launchd() finding {
	const name = "start_at_boot"
	switch b := f.Boot; {
	case b.System:
		return ok(name, "yes: a LaunchDaemon starts it")
	case b.User && b.Lingering:
		return ok(name, "yes: a LaunchAgent starts it, and %s is logged in automatically", f.user())
	case b.User:
		return warn(name, "", "no: a LaunchAgent starts it when %s logs in, and automatic login is off", f.user())
	}
	return warn(name, "", "no: no LaunchAgent starts it")
}

func (f Facts) linger() string { return "sudo loginctl enable-linger " + f.Boot.UserName }

func (f Facts) socket() []finding {
	const name = "socket"
	s := f.Socket
	switch {
	case s == nil:
		return nil
	case s.State == SocketAnswers && s.Daemon != nil && s.Daemon.State != words.StateOnline:
		return one(ok(name, "%s answers: %s%s", s.Path, s.Daemon.State, s.skipped())) // another line has the reason
	case s.State == SocketAnswers:
		return one(ok(name, "%s answers%s", s.Path, s.skipped()))
	case len(s.Path) > s.Limit:
		return one(fail(name, "export XDG_RUNTIME_DIR=/run/user/$(id -u)",
			"%s has %d bytes, the system allows %d: a shorter XDG_RUNTIME_DIR or AGENTKEYS_HOME is needed", s.Path, len(s.Path), s.Limit))
	case s.State == SocketForeign:
		return one(fail(name, f.sudo()+"mv "+s.Path+" "+s.Path+".aside", "%s is no socket", s.Path))
	case s.State == SocketStale:
		return one(warn(name, f.start(), "%s is stale: its daemon ended without removing it, and the next one replaces it", s.Path))
	case s.State == SocketSilent:
		return one(fail(name, f.restart(), "%s does not answer: %s%s", s.Path, s.Err, f.by()))
	case s.State == SocketClosed && s.Namespace:
		return one(warn(name, condition.HintContainer, "%s is closed to this program: %s", s.Path, s.Err))
	case s.State == SocketClosed && f.EUID == 0:
		return one(warn(name, "", "%s is closed to root: %s", s.Path, s.Err))
	case s.State == SocketClosed:
		return one(warn(name, "sudo agentkeys-daemon doctor --wallet "+f.Wallet, "%s is closed to this user: %s", s.Path, s.Err).follows("permissions"))
	}
	return one(ok(name, "%s is free%s", s.Path, s.skipped()))
}

// skipped says why the socket is not in a better place.
func (s *Socket) skipped() string {
	if s.Skipped == "" {
		return ""
	}
	return "; " + s.Skipped
}

// by describes the running daemon, if it was seen.
func (f Facts) by() string {
	if !f.Holder.Seen() {
		return ""
	}
	return " (" + f.Holder.String() + ")"
}

// daemon checks the running instance. That none runs is wrong only if one should.
func (f Facts) daemon() []finding {
	const name = "daemon"
	s := f.Socket
	switch {
	case s == nil:
		return nil
	case s.Daemon != nil:
		return f.daemonSays(*s.Daemon)
	case s.served():
		return nil // there is no status
	case f.Holder.Seen():
		return one(fail(name, f.restart(), "it holds the slot%s, and its socket is nowhere that this environment names", f.by()).follows("socket"))
	case f.Boot != nil && f.Boot.System:
		return one(fail(name, f.start(), "not running, though the unit is enabled").follows("socket", "slot", "settings"))
	}
	return one(warn(name, f.start(), "not running").follows("socket", "slot", "settings"))
}

func (f Facts) daemonSays(d protocol.Status) []finding {
	const name = "daemon"
	var checks []finding
	switch d.State {
	case words.StateOnline:
		checks = one(ok(name, "%s", d.State))
	case words.StateOffline, words.StateStarting:
		checks = one(warn(name, "", "%s", d.State).follows("broker"))
	case words.StateRevoked, words.StateParked:
		checks = one(fail(name, f.renew(), "%s", d.State))
	case words.StateWaitingForKeychain:
		checks = one(fail(name, f.openKeychain(), "waiting for the keychain").follows("keychain"))
	case words.StateBlocked:
		checks = one(fail(name, hintStatus+f.Wallet, "%s", d.State).follows("permissions", "slot", "session"))
	default:
		checks = one(fail(name, hintStatus+f.Wallet, "%s", d.State))
	}
	var after []string // first the conditions that explain the daemon's state
	for _, code := range condition.OfState(d.State) {
		after = append(after, string(code))
	}
	checks[0].after = append(after, checks[0].after...)
	for _, c := range d.Conditions {
		if slices.ContainsFunc(f.disk(), func(own finding) bool { return own.Name == c.Code }) {
			continue // this report has the same by its own examination
		}
		checks = append(checks, f.conditionSaid(c))
	}
	return checks
}

// conditionSaid is a condition of the daemon as a line of the report.
func (f Facts) conditionSaid(c protocol.StatusCondition) finding {
	found := warn(c.Code, c.Hint, "%s", c.Message)
	if strings.TrimPrefix(c.Hint, "sudo ") == hintDoctor+f.Wallet {
		found.Hint = "" // another line of this report names the command
	}
	if c.Severity == "error" {
		found.Status = Fail
	}
	if c.Code == string(condition.NoSpace) && f.Disk != nil { // full only for the daemon: a quota, or blocks reserved for root
		found.Hint = condition.Room(f.Disk.Path)
	}
	if c.Code == string(condition.StateReadOnly) && f.Disk != nil && !f.Disk.ReadOnly {
		return f.keptOut(found)
	}
	return found
}

// keptOut is for a directory that the daemon could not write and this process can. The sandbox of
// a unit may make the directory read-only for the daemon.
func (f Facts) keptOut(found finding) finding {
	if f.Holder.Unit == "" {
		found.Message += "; " + f.Disk.Path + " is writable now, so the daemon's next try, within minutes, ends this"
		return found
	}
	found.Message += "; " + f.Disk.Path + " is writable here, so the unit's sandbox (ProtectSystem=, ReadOnlyPaths=) keeps the daemon out: it needs ReadWritePaths=" + f.Disk.Path
	found.Hint = "sudo systemctl edit " + f.Holder.Unit
	if f.Holder.User {
		found.Hint = "systemctl --user edit " + f.Holder.Unit
	}
	return found
}
