package keychain_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/agentkeys/agentkeys/internal/harden"
	"github.com/agentkeys/agentkeys/internal/store/keychain"
	"github.com/agentkeys/agentkeys/test/needs"
)

// unreadableVariable makes the test program start itself as the child, which
// gets no request and ends with 1; its value is the path.
const unreadableVariable = "KEYCHAIN_TEST_UNREADABLE"

func sayAnswer(executable string) string {
	if err := harden.Process(); err != nil {
		return err.Error()
	}
	return fmt.Sprint(exec.Command(executable, keychain.ChildCommand).Run())
}

// The package installs its programs with mode 0711: their users start them, and again
// as the child, but cannot read them.
func TestTheChildOfAProgramThatCannotBeRead(t *testing.T) {
	t.Parallel()
	needs.Linux(t)
	needs.Root(t)
	dir, err := os.MkdirTemp("", "akc")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	data, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, "program")
	for _, err := range []error{os.Chmod(dir, 0o755), writeProgram(program, data, 0o711), os.Chmod(program, 0o711)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for executable, answered := range map[string]bool{"/proc/self/exe": true, "/nowhere/program": false} {
		c := exec.Command(program)
		c.Dir, c.Env = "/", []string{unreadableVariable + "=" + executable}
		c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 54321, Gid: 54321}}
		out, err := c.CombinedOutput()
		if err != nil || (string(out) == "exit status 1") != answered {
			t.Errorf("%s: %v, %s", executable, err, out)
		}
	}
}
