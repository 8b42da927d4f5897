// Package systemd handles the files of systemd on this machine: the package's unit, the
// drop-in that makes an instance run as a desktop user, and whether lingering is on for that user.
package systemd

import (
	"os"
	"path/filepath"

	"github.com/agentkeys/agentkeys/internal/wallet"
)

// Template is the file name of the package's units, both the system unit and the user unit.
const Template = "agentkeys-daemon@.service"

// Unit is the system unit of one wallet.
func Unit(w wallet.Wallet) string { return "agentkeys-daemon@" + w.String() + ".service" }

// Machine is where systemd's files are.
type Machine struct {
	Root string // empty = /; tests use a directory of their own
}

// Running reports whether systemd is this machine's manager, as sd_booted(3).
func (m Machine) Running() bool { return isThere(m.at("/run/systemd/system")) }

// Installed reports whether the package's template unit is there.
func (m Machine) Installed() bool {
	for _, dir := range m.unitDirs() {
		if isThere(filepath.Join(dir, Template)) {
			return true
		}
	}
	return false
}

// UserInstalled reports whether the package's template of the user unit exists.
func (m Machine) UserInstalled() bool {
	for _, dir := range []string{"/etc/systemd/user", "/usr/local/lib/systemd/user", "/usr/lib/systemd/user", "/lib/systemd/user"} {
		if isThere(filepath.Join(m.at(dir), Template)) {
			return true
		}
	}
	return false
}

// Enabled reports whether `systemctl enable` has linked the unit to anything.
func (m Machine) Enabled(w wallet.Wallet) bool {
	for _, kind := range []string{"*.wants", "*.requires"} {
		found, err := filepath.Glob(filepath.Join(m.at("/etc/systemd/system"), kind, Unit(w)))
		if err == nil && len(found) > 0 {
			return true
		}
	}
	return false
}

// Lingers reports whether the user's service manager runs from boot on and after a log-out
// (loginctl enable-linger).
func (m Machine) Lingers(user string) bool {
	return user != "" && isThere(m.at("/var/lib/systemd/linger/"+user))
}

// unitDirs is where systemd looks for system units; the first that has one counts.
func (m Machine) unitDirs() []string {
	return []string{
		m.at("/etc/systemd/system"), m.at("/run/systemd/system"), m.at("/usr/local/lib/systemd/system"),
		m.at("/usr/lib/systemd/system"), m.at("/lib/systemd/system"),
	}
}

func (m Machine) at(path string) string { return filepath.Clean("/" + m.Root + path) }

// isThere does not follow a link, because systemd accepts a link to a unit file elsewhere.
func isThere(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
