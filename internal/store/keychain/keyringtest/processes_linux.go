package keyringtest

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// InHome lists the programs, by name, that run with HOME=home: whatever was started
// by a program of that home is among them, its parents dead or not.
func InHome(t testing.TB, home string) []string {
	t.Helper()
	processes, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, path := range processes {
		environ, err := os.ReadFile(path)
		if err != nil || !slices.Contains(strings.Split(string(environ), "\x00"), "HOME="+home) {
			continue // gone, or another user's
		}
		if argv, err := os.ReadFile(filepath.Join(filepath.Dir(path), "cmdline")); err == nil {
			program, _, _ := strings.Cut(string(argv), "\x00")
			names = append(names, filepath.Base(program))
		}
	}
	return names
}
