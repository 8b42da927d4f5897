package harden_test

import (
	"fmt"
	"os"
	"os/exec"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/agentkeys/agentkeys/internal/harden"
)

// reportVariable makes the test program harden itself and print what the kernel
// then says: the flag cannot be undone, so it is not tried on the tests' process.
const reportVariable = "HARDEN_TEST_REPORT"

func TestMain(m *testing.M) {
	if os.Getenv(reportVariable) != "" {
		report()
		return
	}
	os.Exit(m.Run())
}

func report() {
	err := harden.Process()
	dumpable, _ := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0)
	var core unix.Rlimit
	_ = unix.Getrlimit(unix.RLIMIT_CORE, &core)
	state, lookErr := harden.Look()
	fmt.Printf("%v dumpable=%d core=%d/%d %+v %v", err, dumpable, core.Cur, core.Max, state, lookErr)
}

func TestAProcessIsUndumpableAndLeavesNoCore(t *testing.T) {
	t.Parallel()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), reportVariable+"=1")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(out), "<nil> dumpable=0 core=0/0 {Dumpable:false CoreLimit:0} <nil>"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
