package e2e_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"testing"

	"github.com/agentkeys/agentkeys/test/needs"
)

const (
	raceUID    = 54321
	raceStarts = 60
)

// Between exec and PR_SET_DUMPABLE=0 a process of the same user may look into ours,
// unless the program cannot be read by its user: then the kernel makes it undumpable at
// exec (would_dump in fs/exec.c). That is why the package installs it with mode 0711.
func TestNobodyLooksIntoAProgramThatCannotBeRead(t *testing.T) {
	t.Parallel()
	needs.Root(t)
	// How often 0755 is caught depends on the machine, so it is said and not asserted.
	t.Logf("mode 0755: looked into %d of %d starts", lookedInto(t, 0o755), raceStarts)
	if n := lookedInto(t, 0o711); n > 0 {
		t.Errorf("mode 0711: looked into %d of %d starts", n, raceStarts)
	}
}

// lookedInto starts the daemon and counts how often another process of its user, which
// is told the number of each right after the fork, reads its environment or its root.
func lookedInto(t *testing.T, mode os.FileMode) int {
	t.Helper()
	program := copyOf(t, filepath.Join(bin, "agentkeys-daemon"), mode)
	attacker := exec.Command(copyOf(t, "/proc/self/exe", 0o755), "-test.run=^TestLooksIntoProcesses$")
	attacker.Env = []string{"AGENTKEYS_TEST_LOOK=1", "AGENTKEYS_BIN=/"}
	attacker.Dir = "/"
	attacker.SysProcAttr = asRaceUser()
	var seen bytes.Buffer
	attacker.Stdout = &seen
	told, pids, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	attacker.Stdin = told
	err = attacker.Start()
	_ = told.Close()
	if err != nil {
		t.Fatal(err)
	}
	for range raceStarts {
		c := exec.Command("/bin/sh", "-c", "echo $$ >&3; exec "+program+" version")
		c.Env = []string{"MARK=1"}
		c.Dir = "/"
		c.SysProcAttr = asRaceUser()
		c.ExtraFiles = []*os.File{pids}
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	_ = pids.Close()
	if err := attacker.Wait(); err != nil {
		t.Fatalf("%v: %s", err, &seen)
	}
	return bytes.Count(seen.Bytes(), []byte("LOOKED"))
}

func asRaceUser() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: raceUID, Gid: raceUID}}
}

// copyOf puts a program into a directory of root's that everybody may enter.
func copyOf(t *testing.T, path string, mode os.FileMode) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "akx")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	to := filepath.Join(dir, "agentkeys-daemon")
	syscall.ForkLock.RLock() // no child of another test may inherit it open for writing (golang.org/issue/22315)
	err = os.WriteFile(to, data, mode)
	syscall.ForkLock.RUnlock()
	for _, err := range []error{os.Chmod(dir, 0o755), err, os.Chmod(to, mode)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return to
}

// TestLooksIntoProcesses is the attacker's process, and no test of its own.
func TestLooksIntoProcesses(*testing.T) {
	if os.Getenv("AGENTKEYS_TEST_LOOK") == "" {
		return
	}
	runtime.LockOSThread()
	var text string
	for {
		if n, _ := fmt.Scanln(&text); n == 0 {
			return
		}
		if pid, err := strconv.Atoi(text); err == nil && looks(pid) {
			fmt.Println("LOOKED")
		}
	}
}

// looks tries until the process is gone. Only what is read after the exec counts: until
// then the command line, which everybody may read, is the shell's.
func looks(pid int) bool {
	proc := fmt.Sprintf("/proc/%d/", pid)
	for {
		line, err := os.ReadFile(proc + "cmdline")
		if err != nil || len(line) == 0 {
			return false
		}
		if !bytes.HasSuffix(line, []byte("agentkeys-daemon\x00version\x00")) {
			continue
		}
		if f, err := os.Open(proc + "root/"); err == nil {
			_ = f.Close()
			return true
		}
		if text, err := os.ReadFile(proc + "environ"); err == nil && len(text) > 0 {
			return true
		}
	}
}
