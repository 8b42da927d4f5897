package stdio_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/agentkeys/agentkeys/internal/stdio"
)

// pipeVariable makes the test program write to a standard error and output whose reader is
// gone, and report the result by its exit code.
const pipeVariable = "STDIO_TEST_PIPE"

const survived = 42

func TestMain(m *testing.M) {
	if os.Getenv(pipeVariable) == "" {
		os.Exit(m.Run())
	}
	stdio.SurvivePipes()
	out := stdio.NewOutput(os.Stdout)
	_, logged := fmt.Fprintln(os.Stderr, "a line of the log")
	_, _ = fmt.Fprintln(out, "an answer")
	if errors.Is(logged, syscall.EPIPE) && errors.Is(out.Err(), syscall.EPIPE) {
		os.Exit(survived)
	}
}

func TestAWriteThatNobodyReadsEndsNoProcess(t *testing.T) {
	t.Parallel()
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = write.Close() }()
	_ = read.Close()
	cmd := exec.Command(os.Args[0])
	cmd.Env, cmd.Stdout, cmd.Stderr = append(os.Environ(), pipeVariable+"=1"), write, write
	_ = cmd.Run() // the state below says it
	if got := cmd.ProcessState.ExitCode(); got != survived {
		t.Errorf("ended with %v", cmd.ProcessState)
	}
}

type full struct{ after int }

func (f *full) Write(p []byte) (int, error) {
	if f.after--; f.after < 0 {
		return 0, syscall.ENOSPC
	}
	return len(p), nil
}

func TestTheFirstWriteThatFailedIsRemembered(t *testing.T) {
	t.Parallel()
	out := stdio.NewOutput(&full{after: 1})
	_, _ = fmt.Fprint(out, "arrives")
	if out.Err() != nil {
		t.Fatalf("after a write that arrived: %v", out.Err())
	}
	if _, err := fmt.Fprint(out, "does not"); !errors.Is(err, stdio.ErrOutput) || !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("a write that failed: %v", err)
	}
	_, _ = fmt.Fprint(out, "nor this")
	if err := out.Err(); !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "write standard output") {
		t.Errorf("%v", err)
	}
}
