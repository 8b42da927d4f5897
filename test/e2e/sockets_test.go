package e2e_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// The runtime directory of a system's unit is everybody's to pass through, and the peer
// check decides; that of a user's own unit is the user's, and so are the sockets.
func TestTheDirectoryThatSystemdMadeDecidesWhoMayConnect(t *testing.T) {
	t.Parallel()
	_, _, pi, w := examined(t)
	for directory, want := range map[fs.FileMode]fs.FileMode{0o700: 0o600, 0o755: 0o666} {
		run, err := os.MkdirTemp("", "ak") // short enough for a socket
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = os.RemoveAll(run) })
		dir := filepath.Join(run, "agentkeys", w)
		if err := os.MkdirAll(dir, directory); err != nil {
			t.Fatal(err)
		}
		m := pi.with("XDG_RUNTIME_DIR", run, "RUNTIME_DIRECTORY", dir)
		d := m.daemon(w)
		for _, name := range []string{"agent.sock", "metrics.sock"} {
			info, err := os.Stat(m.socket(w, name))
			if err != nil {
				t.Fatal(err)
			}
			if got := info.Mode().Perm(); got != want {
				t.Errorf("%s in a directory of %04o: %04o, want %04o", name, directory, got, want)
			}
		}
		d.stop()
	}
}
