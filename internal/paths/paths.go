// Package paths says where AgentKeys keeps things on a machine: the home of the slots, the
// sockets of the daemons (docs/spec/architecture.md#sockets) and the settings. It reads the
// environment through a function and creates nothing.
package paths

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/agentkeys/agentkeys/internal/wallet"
)

const (
	systemHome   = "/var/lib/agentkeys" // the home of the system units; the package makes it
	systemRun    = "/run/agentkeys"
	daemonPrefix = "daemon-" // of the name of a slot's directory, as in session.DaemonID
)

// ErrHome says that the environment names no usable home; a usage error (exit 64).
var ErrHome = errors.New("no home for AgentKeys")

// Home is the directory of the slots: AGENTKEYS_HOME (absolute); for root on a machine with
// the package /var/lib/agentkeys; else ~/.agentkeys. The directory need not exist.
func Home(getenv func(string) string, euid int) (string, error) {
	return home(getenv, euid, systemHome)
}

func home(getenv func(string) string, euid int, system string) (string, error) {
	if set := getenv("AGENTKEYS_HOME"); set != "" {
		if !filepath.IsAbs(set) {
			return "", fmt.Errorf("%w: AGENTKEYS_HOME is %q, and must be an absolute path", ErrHome, set)
		}
		return filepath.Clean(set), nil
	}
	if euid == 0 && isDir(system) {
		return system, nil
	}
	user := getenv("HOME")
	if !filepath.IsAbs(user) {
		return "", fmt.Errorf("%w: HOME is %q; set AGENTKEYS_HOME", ErrHome, user)
	}
	return filepath.Join(user, ".agentkeys"), nil
}

// SocketPlace is a directory where a daemon may make its sockets. Base is the directory that
// the system must have made already, empty if there is none.
type SocketPlace struct {
	Dir, Base string
	Unit      bool // systemd made it for this unit
}

// SocketPlaces lists where the daemon of w may make its sockets, the best first: the
// directory that systemd made for it, else one below XDG_RUNTIME_DIR, else the slot's own. A
// later place is used if an earlier one is missing or cannot be written.
func SocketPlaces(getenv func(string) string, home string, w wallet.Wallet) []SocketPlace {
	var all []SocketPlace
	if dir := runtimeDirectory(getenv, w); dir != "" {
		all = append(all, SocketPlace{Dir: dir, Unit: true})
	}
	if dir := userRun(getenv); dir != "" {
		all = append(all, SocketPlace{Dir: filepath.Join(dir, w.String()), Base: filepath.Dir(dir)})
	}
	return append(all, SocketPlace{Dir: slotDir(home, w)})
}

// SocketDir is the first of SocketPlaces.
func SocketDir(getenv func(string) string, home string, w wallet.Wallet) string {
	return SocketPlaces(getenv, home, w)[0].Dir
}

// SocketDirs lists where clients look for the daemon of w, in this order. A program without
// a home (a systemd service with DynamicUser=) passes "" for it.
func SocketDirs(getenv func(string) string, home string, w wallet.Wallet) []string {
	var dirs []string
	for _, l := range places(getenv, home, systemRun) {
		dirs = append(dirs, filepath.Join(l.dir, l.prefix+w.String()))
	}
	return dirs
}

// runtimeDirectory is the entry of RUNTIME_DIRECTORY for this wallet, else the first
// entry (systemd separates several by colons).
func runtimeDirectory(getenv func(string) string, w wallet.Wallet) string {
	first := ""
	for _, dir := range filepath.SplitList(getenv("RUNTIME_DIRECTORY")) {
		if !filepath.IsAbs(dir) {
			continue
		}
		if filepath.Base(dir) == w.String() {
			return dir
		}
		if first == "" {
			first = dir
		}
	}
	return first
}

// userRun is XDG_RUNTIME_DIR, empty if it is not an absolute path (the XDG Base Directory
// Specification says that such a value is ignored).
func userRun(getenv func(string) string) string {
	if dir := getenv("XDG_RUNTIME_DIR"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "agentkeys")
	}
	return ""
}

func slotDir(home string, w wallet.Wallet) string {
	return filepath.Join(home, daemonPrefix+w.String())
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}
