package keyringtest

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// InHome lists the programs, by name, that run with HOME=home: whatever was started
// by a program of that home is among them, its parents dead or not.
func InHome(t testing.TB, home string) []string {
	t.Helper()
	var names []string
	for _, process := range inHome(t, home) {
		if argv, err := os.ReadFile(filepath.Join(process, "cmdline")); err == nil {
			program, _, _ := strings.Cut(string(argv), "\x00")
			names = append(names, filepath.Base(program))
		}
	}
	return names
}

// EndHome kills them.
func EndHome(t testing.TB, home string) {
	t.Helper()
	for _, process := range inHome(t, home) {
		pid, err := strconv.Atoi(filepath.Base(process))
		if err != nil {
			t.Fatal(err)
		}
		_ = syscall.Kill(pid, syscall.SIGKILL) // it may have ended by now
	}
	waitFor(t, "the programs of a home to end", func() bool { return len(inHome(t, home)) == 0 })
}

// inHome lists their directories in /proc.
func inHome(t testing.TB, home string) []string {
	t.Helper()
	processes, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(processes, func(process string) bool {
		environ, err := os.ReadFile(filepath.Join(process, "environ"))
		// An error: it is gone, or another user's.
		return err != nil || !slices.Contains(strings.Split(string(environ), "\x00"), "HOME="+home)
	})
}
