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
	"github.com/agentkeys/agentkeys/internal/words"
)

// dialTimeout bounds the test of one socket. The kernel connects to a listening daemon at
// once, so only an overloaded machine takes longer.
const dialTimeout = 5 * time.Second

// place is a directory that holds one directory for each wallet, named prefix + wallet.
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
		if path := filepath.Join(dir, words.AgentSocket); listens(path) {
			return path, true
		}
	}
	return "", false
}

// FindSockets lists the wallets whose daemon listens on this machine and accepts connections
// of this user, sorted, each once.
func FindSockets(getenv func(string) string, home string) []wallet.Wallet {
	return findSockets(getenv, home, systemRun)
}

func findSockets(getenv func(string) string, home, system string) []wallet.Wallet {
	var found []wallet.Wallet
	for _, p := range places(getenv, home, system) {
		found = append(found, p.live()...)
	}
	return sorted(found)
}

func sorted(found []wallet.Wallet) []wallet.Wallet {
	slices.SortFunc(found, func(a, b wallet.Wallet) int { return strings.Compare(a.String(), b.String()) })
	return slices.Compact(found)
}

// Expected reports whether the daemon of w, which does not listen now, will probably be back
// in a moment: there is a socket file, which a daemon leaves when it crashes, or a runtime
// directory, which the unit keeps over a restart and removes at a stop. The slot's own
// directory exists without a daemon too, so there only a socket file counts.
func Expected(getenv func(string) string, home string, w wallet.Wallet) bool {
	return slices.ContainsFunc(places(getenv, home, systemRun), func(p place) bool { return p.expects(w) })
}

// ExpectedDaemons lists the wallets for which Expected holds, sorted, each once.
func ExpectedDaemons(getenv func(string) string, home string) []wallet.Wallet {
	var found []wallet.Wallet
	for _, p := range places(getenv, home, systemRun) {
		found = append(found, p.wallets(p.expects)...)
	}
	return sorted(found)
}

// MetricsSockets lists the metrics.sock files on this machine by wallet, whether a daemon listens there
// or not. Of several for one wallet it is the first in the order in which clients look.
func MetricsSockets(getenv func(string) string, home string) map[wallet.Wallet]string {
	found := map[wallet.Wallet]string{}
	for _, p := range places(getenv, home, systemRun) {
		path := func(w wallet.Wallet) string { return filepath.Join(p.dir, p.prefix+w.String(), words.MetricsSocket) }
		for _, w := range p.wallets(func(w wallet.Wallet) bool { return isSocket(path(w)) }) {
			if found[w] == "" {
				found[w] = path(w)
			}
		}
	}
	return found
}

func isSocket(path string) bool {
	info, err := os.Lstat(path)
	return err == nil && info.Mode().Type() == os.ModeSocket
}

func (p place) expects(w wallet.Wallet) bool {
	dir := filepath.Join(p.dir, p.prefix+w.String())
	if p.prefix == "" {
		return isDir(dir)
	}
	return isSocket(filepath.Join(dir, words.AgentSocket))
}

// live lists the wallets in one place whose daemon listens.
func (p place) live() []wallet.Wallet {
	return p.wallets(func(w wallet.Wallet) bool {
		return listens(filepath.Join(p.dir, p.prefix+w.String(), words.AgentSocket))
	})
}

// wallets lists the wallets in one place for which is returns true. A directory that cannot
// be read has none for this user.
func (p place) wallets(is func(wallet.Wallet) bool) []wallet.Wallet {
	entries, err := os.ReadDir(p.dir)
	if err != nil {
		return nil
	}
	var found []wallet.Wallet
	for _, e := range entries {
		name, ok := strings.CutPrefix(e.Name(), p.prefix)
		w, err := wallet.Parse(name)
		if !ok || err != nil || w.String() != name { // directories are named in the canonical form
			continue
		}
		if is(w) {
			found = append(found, w)
		}
	}
	return found
}

// listens connects and closes the connection: the socket file of a crashed daemon remains.
func listens(path string) bool {
	d := net.Dialer{Timeout: dialTimeout}
	conn, err := d.DialContext(context.Background(), "unix", path)
	if err != nil {
		return false
	}
	_ = conn.Close() // nothing was sent
	return true
}
