package e2e_test

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"
)

// bin is the directory of the programs under test.
var bin string

func TestMain(m *testing.M) { os.Exit(testMain(m)) }

func testMain(m *testing.M) int {
	// What is ignored at our start (nohup, a job in the background of a script) every child
	// would ignore as well, and no shell could trap it; what is caught here is not.
	for _, s := range []os.Signal{syscall.SIGHUP, syscall.SIGINT} {
		if signal.Ignored(s) {
			signal.Notify(make(chan os.Signal, 1), s)
		}
	}
	if bin = os.Getenv("AGENTKEYS_BIN"); bin != "" {
		return m.Run()
	}
	dir, err := os.MkdirTemp("", "akbin")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }() // the system clears /tmp if this fails
	bin = dir
	build := exec.Command("go", "build", "-o", dir+string(filepath.Separator),
		"github.com/agentkeys/agentkeys/cmd/agentkeys-broker",
		"github.com/agentkeys/agentkeys/cmd/agentkeys-daemon",
		"github.com/agentkeys/agentkeys/cmd/agentkeys")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "%s%v\n", out, err)
		return 1
	}
	return m.Run()
}
