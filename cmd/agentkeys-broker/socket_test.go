package main

import (
	"bytes"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/agentkeys/agentkeys/internal/words"
)

func TestOnlyADeadSocketIsRemoved(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		put  func(path string) error
		code int
	}{
		"a file":            {func(path string) error { return os.WriteFile(path, []byte("precious"), 0o600) }, words.ExitUsage},
		"an empty file":     {func(path string) error { return os.WriteFile(path, nil, 0o600) }, words.ExitUsage},
		"a directory":       {func(path string) error { return os.Mkdir(path, 0o700) }, words.ExitUsage},
		"a FIFO":            {func(path string) error { return syscall.Mkfifo(path, 0o600) }, words.ExitUsage},
		"a link to nothing": {func(path string) error { return os.Symlink(path+".gone", path) }, words.ExitUsage},
		"a socket that is answered": {func(path string) error {
			l, err := net.Listen("unix", path)
			if err == nil {
				t.Cleanup(func() { _ = l.Close() })
			}
			return err
		}, words.ExitFault},
	} {
		dir, err := os.MkdirTemp("", "ak")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = os.RemoveAll(dir) })
		path := filepath.Join(dir, "s")
		if err := c.put(path); err != nil {
			t.Fatal(err)
		}
		before := stat(t, path)
		var stderr bytes.Buffer
		args := []string{"agentkeys-broker", "serve", "--listen", "unix://" + path, "--data", filepath.Join(dir, "data")}
		if code := run(t.Context(), args, nil, nil, io.Discard, &stderr); code != c.code {
			t.Errorf("%s: exit %d, want %d: %s", name, code, c.code, stderr.String())
		}
		if after := stat(t, path); !os.SameFile(before, after) || before.Mode() != after.Mode() || before.Size() != after.Size() {
			t.Errorf("%s: it is another one now", name)
		}
		if !strings.Contains(stderr.String(), path) {
			t.Errorf("%s: the path is not named: %s", name, stderr.String())
		}
	}
}

func stat(t *testing.T, path string) fs.FileInfo {
	t.Helper()
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info
}
