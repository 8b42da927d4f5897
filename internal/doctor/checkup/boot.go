package checkup

import (
	"errors"
	"os"
	"os/user"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/agentkeys/agentkeys/internal/doctor"
	"github.com/agentkeys/agentkeys/internal/paths"
	"github.com/agentkeys/agentkeys/internal/systemd"
	"github.com/agentkeys/agentkeys/internal/wallet"
)

// boot finds what starts the instance. It reads files only and calls no program.
func (m *machine) boot(f doctor.Facts, w wallet.Wallet) *doctor.Boot {
	uid := m.euid
	switch {
	case f.Slot != nil && f.Slot.Saved:
		uid = f.Slot.UID
	case f.Socket != nil && f.Socket.UID >= 0:
		uid = f.Socket.UID // for an instance whose slot this user cannot see
	}
	name, home := "", ""
	if u, err := user.LookupId(strconv.Itoa(uid)); err == nil {
		name, home = u.Username, u.HomeDir
	}
	config := filepath.Join(home, ".config")
	if uid == m.euid {
		home = m.cfg.Getenv("HOME")
		config = filepath.Join(home, ".config")
		if set := m.cfg.Getenv("XDG_CONFIG_HOME"); filepath.IsAbs(set) {
			config = set
		}
	}
	b := &doctor.Boot{UserName: name, UnitsHome: paths.UnitsHome(m.home)}
	switch s := (systemd.Machine{Root: m.cfg.Root}); {
	case runtime.GOOS == "darwin":
		m.launchd(b, f.Wallet, home)
	case s.Running():
		m.systemd(b, s, w, config)
	}
	b.Shared = b.UserName == paths.PackageUser
	return b
}

func (m *machine) systemd(b *doctor.Boot, s systemd.Machine, w wallet.Wallet, config string) {
	unit := systemd.Unit(w)
	user := []string{filepath.Join(config, "systemd", "user"), m.at("/etc/systemd/user"), m.at("/usr/lib/systemd/user"), m.at("/lib/systemd/user")}
	b.Manager = "systemd"
	b.System = wanted([]string{
		m.at("/etc/systemd/system"), m.at("/usr/local/lib/systemd/system"), m.at("/usr/lib/systemd/system"), m.at("/lib/systemd/system"),
	}, unit, maxWants)
	b.User = wanted(user, unit, maxWants)
	b.Installed = s.Installed()
	b.UserUnit = slices.ContainsFunc(user, func(dir string) bool { return isThere(filepath.Join(dir, systemd.Template)) })
	runs, err := s.RunsAs(w)
	switch {
	case err == nil:
		b.RunsAs, b.UserName = runs, runs
	case errors.Is(err, systemd.ErrForeign):
		b.Foreign = s.DropInPath(w)
	}
	b.Lingering = s.Lingers(b.UserName)
}

func (m *machine) launchd(b *doctor.Boot, wallet, home string) {
	plist := "com.agentkeys.daemon." + wallet + ".plist"
	b.Manager = "launchd"
	b.System = isThere(m.at("/Library/LaunchDaemons/" + plist))
	b.User = isThere(filepath.Join(home, "Library", "LaunchAgents", plist)) || isThere(m.at("/Library/LaunchAgents/"+plist))
	b.Lingering = isThere(m.at("/etc/kcpassword")) // automatic login is on
}

// maxWants bounds the number of links from a unit to a target that a boot reaches.
const maxWants = 4

// wanted reports whether a boot reaches the unit through the links that `systemctl enable` makes
// (systemd.unit(5): X.wants/ and X.requires/).
func wanted(dirs []string, unit string, depth int) bool {
	for _, dir := range dirs {
		entries, err := os.ReadDir(dir)
		if err != nil {
			continue // there is no such directory
		}
		for _, e := range entries {
			by, ok := strings.CutSuffix(e.Name(), ".wants")
			if !ok {
				by, ok = strings.CutSuffix(e.Name(), ".requires")
			}
			if !ok || !isThere(filepath.Join(dir, e.Name(), unit)) {
				continue
			}
			if reached(by) || depth > 0 && wanted(dirs, by, depth-1) {
				return true
			}
		}
	}
	return false
}

// reached reports whether a boot, or the start of a user's session, reaches the target.
func reached(target string) bool {
	switch target {
	case "default.target", "multi-user.target", "graphical.target", "basic.target", "sysinit.target":
		return true
	}
	return false
}

// isThere does not follow a link, because systemd accepts a link to a unit file elsewhere.
func isThere(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
