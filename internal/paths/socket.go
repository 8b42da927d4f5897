package paths

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/agentkeys/agentkeys/internal/wallet"
)

// dialTimeout bounds the look at one socket; a listening daemon is connected at
// once by the kernel, so only a machine out of breath takes longer.
const dialTimeout = 5 * time.Second

// place holds one directory for each wallet, named prefix + wallet.
type place struct{ dir, prefix string }

func places(getenv func(string) string, home, system string) []place {
	all := []place{{dir: system}}
	if run := userRun(getenv); run != "" {
		all = append(all, place{dir: run})
	}
	if home == "" {
		return all
	}
	return append(all, place{dir: home, prefix: daemonPrefix})
}

// FindSocket is the path of the agent.sock on which the daemon of w listens; false
// when none does, or when this user may not connect to it.
func FindSocket(getenv func(string) string, home string, w wallet.Wallet) (string, bool) {
	for _, dir := range SocketDirs(getenv, home, w) {
		if path := filepath.Join(dir, AgentSocket); listens(path) {
			return path, true
		}
	}
	return "", false
}

// FindSockets lists the wallets whose daemon listens on this machine where this
// user may connect, sorted, each once.
func FindSockets(getenv func(string) string, home string) []wallet.Wallet {
	return findSockets(getenv, home, systemRun)
}

func findSockets(getenv func(string) string, home, system string) []wallet.Wallet {
	var found []wallet.Wallet
	for _, p := range places(getenv, home, system) {
		found = append(found, p.live()...)
	}
	slices.SortFunc(found, func(a, b wallet.Wallet) int { return strings.Compare(a.String(), b.String()) })
	return slices.Compact(found)
}

// live lists the wallets of one place. A directory that cannot be read holds
// nothing for this user.
func (p place) live() []wallet.Wallet {
	entries, err := os.ReadDir(p.dir)
	if err != nil {
		return nil
	}
	var found []wallet.Wallet
	for _, e := range entries {
		name, ok := strings.CutPrefix(e.Name(), p.prefix)
		w, err := wallet.Parse(name)
		if !ok || err != nil || w.String() != name { // only the canonical form names a directory
			continue
		}
		if listens(filepath.Join(p.dir, e.Name(), AgentSocket)) {
			found = append(found, w)
		}
	}
	return found
}

// listens connects and hangs up: a socket file outlives a daemon that crashed.
func listens(path string) bool {
	d := net.Dialer{Timeout: dialTimeout}
	conn, err := d.DialContext(context.Background(), "unix", path)
	if err != nil {
		return false
	}
	_ = conn.Close() // nothing was sent
	return true
}
