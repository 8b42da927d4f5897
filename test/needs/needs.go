// Package needs says what a test requires of the machine that runs it. Where something is
// missing the test is skipped with a reason and the command that installs it; `make test`
// prints each reason once at its end.
package needs

import (
	"errors"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// RequireVariable lists kinds of needs, separated by commas, that this machine is known to
// have: a test that misses one of them fails instead of being skipped. The value `all` stands
// for every kind.
const RequireVariable = "AGENTKEYS_REQUIRE"

// Kinds of needs, as RequireVariable names them.
const (
	kindPrograms = "programs"
	kindRoot     = "root"
	kindMounts   = "mounts"
	kindSystem   = "system"
)

// Programs requires that all of these are in PATH.
func Programs(t testing.TB, names ...string) {
	t.Helper()
	for _, name := range names {
		if _, err := exec.LookPath(name); err != nil {
			missing(t, kindPrograms, name+" is not installed: make test-setup")
		}
	}
}

// Linux requires that system, because the test examines something that only Linux has.
func Linux(t testing.TB) {
	t.Helper()
	if runtime.GOOS != "linux" {
		missing(t, kindSystem, "this is "+runtime.GOOS+": run the tests on Linux")
	}
}

// Root requires uid 0, because the test acts as several users.
func Root(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		missing(t, kindRoot, "several users are needed, and only root can be them: sudo make test")
	}
}

// Paths requires that these files or directories exist.
func Paths(t testing.TB, paths ...string) {
	t.Helper()
	for _, path := range paths {
		if _, err := os.Stat(path); err != nil {
			missing(t, kindPrograms, path+" is not there: make test-setup")
		}
	}
}

// Mounts requires root, and permission to make a mount namespace and to mount in it. A
// container with default capabilities does not allow the first, a chroot not the second.
func Mounts(t testing.TB) {
	t.Helper()
	Root(t)
	Programs(t, "unshare", "mount")
	err := exec.CommandContext(t.Context(), "unshare", "-m", "mount", "--make-rprivate", "/").Run()
	if fault := (*exec.ExitError)(nil); errors.As(err, &fault) {
		missing(t, kindMounts, "file systems cannot be mounted here (no CAP_SYS_ADMIN, or a chroot): run the tests as root outside the container or chroot")
	} else if err != nil {
		t.Fatal(err)
	}
}

// PIDNamespaces requires permission to start a process in a PID namespace of its own.
func PIDNamespaces(t testing.TB) {
	t.Helper()
	Programs(t, "unshare")
	err := exec.CommandContext(t.Context(), "unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "true").Run()
	if fault := (*exec.ExitError)(nil); errors.As(err, &fault) {
		missing(t, kindMounts, "PID namespaces cannot be made here (no CAP_SYS_ADMIN): run the tests as root outside the container")
	} else if err != nil {
		t.Fatal(err)
	}
}

// Memory requires a directory whose files are in memory, and returns it.
func Memory(t testing.TB) string {
	t.Helper()
	const dir, tmpfs = "/dev/shm", 0x01021994 // statfs(2)
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil || int64(st.Type) != tmpfs { //nolint:unconvert // of another type on other systems
		missing(t, kindSystem, dir+" is no tmpfs: mount -t tmpfs tmpfs "+dir)
	}
	return dir
}

// Absent requires that there is nothing at path; why is what would be there.
func Absent(t testing.TB, path, why string) {
	t.Helper()
	if _, err := os.Lstat(path); err == nil {
		missing(t, kindSystem, why+": there is "+path)
	}
}

// missing skips the test, or fails it where the machine is known to have the kind.
func missing(t testing.TB, kind, reason string) {
	t.Helper()
	required := strings.Split(os.Getenv(RequireVariable), ",")
	if slices.Contains(required, kind) || slices.Contains(required, "all") {
		t.Fatalf("%s (%s=%s)", reason, RequireVariable, os.Getenv(RequireVariable))
		return
	}
	t.Skip(reason)
}
