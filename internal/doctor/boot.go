package doctor

const (
	managerSystemd = "systemd"
	managerLaunchd = "launchd"

	hintInstall = "apt install ./agentkeys_*.deb"
	hintDoctor  = "agentkeys-daemon doctor --wallet "
)

// startAtBoot: would anything start the instance?
func (f Facts) startAtBoot() []Check {
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

func (f Facts) systemd() Check {
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

// notEnabled names the unit that finds the slot: the machine's works in a home of its own.
func (f Facts) notEnabled(unit string) Check {
	const name = "start_at_boot"
	switch b := f.Boot; {
	case b.UnitsHome && !b.Installed:
		return warn(name, hintInstall, "no: the package's unit is not installed")
	case b.UnitsHome:
		return warn(name, "systemctl enable --now "+unit, "no: %s is not enabled", unit)
	case b.UserUnit:
		return warn(name, "systemctl --user enable --now "+unit, "no: %s is not enabled for %s", unit, f.user())
	}
	return warn(name, "", "no: nothing starts it, and the unit of the package agentkeys, which would, is not installed")
}

// runsAs tells of the drop-in of pair --run-as.
func (f Facts) runsAs() []Check {
	const name = "runs_as"
	switch b := f.Boot; {
	case b == nil:
		return nil
	case b.Foreign != "":
		return one(warn(name, "mv "+b.Foreign+" "+b.Foreign+".aside", "%s was not written by agentkeys-daemon, which leaves it alone", b.Foreign))
	case b.RunsAs != "":
		return one(ok(name, "%s, by the drop-in of pair --run-as", b.RunsAs))
	}
	return nil
}

// readers: a user's own instance hides nothing from that user's programs, which reach
// the same keyring and the same files.
func (f Facts) readers() []Check {
	const name = "readers"
	switch b := f.Boot; {
	case b == nil || b.UserName == "" || !f.Slot.live() && !f.Socket.served():
		return nil
	case b.Shared:
		return one(ok(name, "root, and whom the settings allow"))
	}
	return one(ok(name, "every program of %s can read this wallet", f.user()))
}

func (f Facts) launchd() Check {
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

func (f Facts) linger() string { return "loginctl enable-linger " + f.Boot.UserName }

func (f Facts) socket() []Check {
	const name = "socket"
	s := f.Socket
	switch {
	case s == nil:
		return nil
	case s.State == SocketAnswers:
		return one(ok(name, "%s answers", s.Path))
	case len(s.Path) > s.Limit:
		return one(fail(name, "export XDG_RUNTIME_DIR=/run/user/$(id -u)",
			"%s has %d bytes, the system allows %d: a shorter XDG_RUNTIME_DIR or AGENTKEYS_HOME is needed", s.Path, len(s.Path), s.Limit))
	case s.State == SocketForeign:
		return one(fail(name, "mv "+s.Path+" "+s.Path+".aside", "%s is no socket", s.Path))
	case s.State == SocketStale:
		return one(warn(name, f.start(), "%s is stale: its daemon ended without removing it, and the next one replaces it", s.Path))
	case s.State == SocketSilent:
		return one(fail(name, f.restart(), "%s does not answer: %s", s.Path, s.Err))
	case s.State == SocketClosed && f.EUID == 0:
		return one(warn(name, "", "%s does not answer root: %s", s.Path, s.Err))
	case s.State == SocketClosed:
		return one(warn(name, "sudo agentkeys-daemon doctor --wallet "+f.Wallet, "%s does not answer this user: %s", s.Path, s.Err))
	}
	return one(ok(name, "%s is free", s.Path))
}

// daemon tells of the running instance; that none runs is wrong only where one should.
func (f Facts) daemon() []Check {
	const name = "daemon"
	s := f.Socket
	switch {
	case s == nil || s.State == SocketClosed || s.State == SocketSilent:
		return nil
	case s.Daemon != nil:
		return s.Daemon.checks(f)
	case f.Boot != nil && f.Boot.System:
		return one(fail(name, f.start(), "not running, though the unit is enabled"))
	}
	return one(warn(name, f.start(), "not running"))
}

func (d Daemon) checks(f Facts) []Check {
	const name = "daemon"
	var checks []Check
	switch d.State {
	case "online":
		checks = one(ok(name, "online"))
	case "offline", "starting":
		checks = one(warn(name, "", "%s", d.State))
	case "revoked", "parked", "unpaired":
		checks = one(fail(name, f.renew(), "%s", d.State))
	case "waiting_for_keychain":
		checks = one(fail(name, f.openKeychain(), "waiting for the keychain"))
	default:
		checks = one(fail(name, "agentkeys-daemon status --wallet "+f.Wallet, "%s", d.State))
	}
	for _, c := range d.Conditions {
		if c.Code == codeMetrics && f.Metrics != nil {
			continue // its own check says who is in the way
		}
		found := warn(c.Code, c.Hint, "%s", c.Message)
		if c.Hint == hintDoctor+f.Wallet {
			found.Hint = "" // another line of this report names the command
		}
		if c.Severity == "error" {
			found.Status = Fail
		}
		checks = append(checks, found)
	}
	return checks
}
