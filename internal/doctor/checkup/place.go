package checkup

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/agentkeys/agentkeys/internal/paths"
	"github.com/agentkeys/agentkeys/internal/wallet"
	"github.com/agentkeys/agentkeys/internal/words"
)

// place is the first directory in which a daemon with this environment could make its sockets, and why
// those before it cannot be used.
func (m *machine) place(w wallet.Wallet) (dir, skipped string) {
	var wrong []string
	for _, p := range paths.SocketPlaces(m.cfg.Getenv, m.home, w) {
		dir = p.Dir
		why := unusable(p)
		if why == "" {
			break
		}
		wrong = append(wrong, why)
	}
	return dir, strings.Join(wrong, "; ")
}

// unusable says why the directory that the system must have made cannot be used. The slot's own
// directory can always be used.
func unusable(p paths.SocketPlace) string {
	dir := p.Base
	if p.Unit {
		dir = p.Dir
	}
	if dir == "" {
		return ""
	}
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return "the runtime directory " + dir + " is not there"
	}
	if unix.Access(dir, unix.W_OK) != nil {
		return "the runtime directory " + dir + " cannot be written"
	}
	for _, name := range []string{words.AgentSocket, words.MetricsSocket} {
		path := filepath.Join(p.Dir, name)
		if len(path) > socketLimit {
			return fmt.Sprintf("%s has %d bytes, and the system allows %d", path, len(path), socketLimit)
		}
		if info, err := os.Lstat(path); err == nil && info.Mode().Type() != fs.ModeSocket {
			return path + " is no socket"
		}
	}
	return ""
}
