package e2e_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/agentkeys/agentkeys/test/needs"
)

// told holds that a command failed with 1, said what it hints, and neither a path twice nor the
// name of a file that it only made to try.
func told(t *testing.T, r result, args []string, hints ...string) {
	t.Helper()
	bad := r.code != exitFault || strings.Contains(r.stderr, ": open /") && strings.Count(r.stderr, ": open /") > 1 || strings.Contains(r.stderr, "trial")
	for _, hint := range hints {
		bad = bad || !strings.Contains(r.stderr, hint)
	}
	if bad {
		t.Errorf("%v: exit %d, want %q\n%s", args, r.code, hints, r.stderr)
	}
}

// A home or a data directory that is something else is an error with a way out. It is not a
// home without a session: the disk that a link points to may come back.
func TestWhatIsNoDirectoryIsNamed(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	at := func(name string) string { return filepath.Join(m.dir, name) }
	if err := errors.Join(os.WriteFile(at("file"), nil, 0o600), os.Symlink("nowhere", at("dangling")),
		os.Symlink("loop", at("loop")), syscall.Mkfifo(at("fifo"), 0o600)); err != nil {
		t.Fatal(err)
	}
	const url = "http://127.0.0.1:9"
	for _, name := range []string{"file", "file/below", "dangling", "loop", "fifo"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := at(name)
			home := m.with("AGENTKEYS_HOME", path, "AGENTKEYS_BROKER", url)
			home.t = t
			for _, args := range [][]string{
				{"agentkeys-daemon", "pair"}, {"agentkeys-daemon", "run"}, {"agentkeys-daemon", "status"},
				{"agentkeys", "init", "--recovery-key", "-"}, {"agentkeys", "whoami"},
			} {
				told(t, home.run("x", args[0], args[1:]...), args, path+": not a directory", "hint: export AGENTKEYS_HOME=DIR")
			}
			for _, args := range [][]string{
				{"serve", "--listen", "127.0.0.1:0"}, {"setup-token"}, {"backup", at("b")}, {"clock", "--accept"},
			} {
				args = append(args, "--data", path)
				told(t, home.run("", "agentkeys-broker", args...), args, path+": not a directory", "hint: give another --data DIR")
			}
		})
	}
}

// onDisk runs a program in a mount namespace where dir is a small file system: read only, or full.
func (m *machine) onDisk(dir, state, program string, args ...string) result {
	m.t.Helper()
	script := `mount -t tmpfs -o size=64k,mode=700 tmpfs "$1" && mkdir -m 700 "$1/there" || exit 99
case $2 in
full) head -c 65536 /dev/zero >"$1/fill" 2>/dev/null ;;
*) mount -o remount,ro "$1" || exit 99 ;;
esac
shift 2; exec "$@"`
	all := append([]string{"-m", "sh", "-c", script, "sh", dir, state, filepath.Join(bin, program)}, args...)
	return m.run("x", "/usr/bin/unshare", all...)
}

// The disk is named with the command for it, by whichever program meets it.
func TestADiskThatIsReadOnlyOrFullIsNamed(t *testing.T) {
	t.Parallel()
	needs.Mounts(t)
	m := newMachine(t)
	disk := filepath.Join(m.dir, "disk")
	if err := os.Mkdir(disk, 0o700); err != nil {
		t.Fatal(err)
	}
	hints := map[string]string{"read only": "hint: " + m.hint("sudo mount -o remount,rw "+disk), "full": "hint: df -h " + disk}
	for state, hint := range hints {
		for _, where := range []string{filepath.Join(disk, "there"), filepath.Join(disk, "new")} {
			home := m.with("AGENTKEYS_HOME", where, "AGENTKEYS_BROKER", "http://127.0.0.1:9")
			for _, args := range [][]string{{"agentkeys-daemon", "pair"}, {"agentkeys", "init", "--recovery-key", "-"}} {
				told(t, home.onDisk(disk, state, args[0], args[1:]...), append(args, where), hint)
			}
			args := []string{"serve", "--listen", "127.0.0.1:0", "--data", where}
			told(t, home.onDisk(disk, state, "agentkeys-broker", args...), args, hint)
		}
	}
	b := startBroker(t)
	args := []string{"backup", filepath.Join(disk, "there", "b"), "--data", b.data}
	for state, hint := range hints {
		told(t, m.onDisk(disk, state, "agentkeys-broker", args...), args, hint)
	}
}
