package datadir_test

import (
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"github.com/agentkeys/agentkeys/internal/broker/datadir"
)

// A child of the broker has its open files until its exec: what unlocked is free even so.
func TestAChildKeepsNoLock(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "data")
	d, err := datadir.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	unlock, err := d.Lock()
	if err != nil {
		t.Fatal(err)
	}
	inherited, err := syscall.Dup(fileNumber(t, filepath.Join(path, ".lock")))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = syscall.Close(inherited) }()
	if err := unlock(); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Lock(); err != nil {
		t.Fatalf("after unlock: %v", err)
	}
}

// fileNumber is the number of this process's open file of that path.
func fileNumber(t *testing.T, path string) int {
	t.Helper()
	files, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		to, _ := os.Readlink(filepath.Join("/proc/self/fd", f.Name())) // it vanished: it belongs to another test
		if n, err := strconv.Atoi(f.Name()); err == nil && to == path {
			return n
		}
	}
	t.Fatalf("%s is not open", path)
	return -1
}
