package unixsocket_test

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/agentkeys/agentkeys/internal/unixsocket"
)

// short is a directory whose sockets fit into the system's 104 bytes.
func short(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "ak")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func TestListen(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		before func(t *testing.T, path string)
		want   error
	}{
		"nothing is there": {func(*testing.T, string) {}, nil},
		"a file is there": {func(t *testing.T, path string) {
			t.Helper()
			if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
				t.Fatal(err)
			}
		}, unixsocket.ErrNotSocket},
		"a program listens": {func(t *testing.T, path string) {
			t.Helper()
			l, err := net.Listen("unix", path)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = l.Close() })
		}, unixsocket.ErrInUse},
		"a program has ended": {func(t *testing.T, path string) {
			t.Helper()
			l, err := net.Listen("unix", path)
			if err != nil {
				t.Fatal(err)
			}
			l.(*net.UnixListener).SetUnlinkOnClose(false)
			_ = l.Close()
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(short(t), "x.sock")
			c.before(t, path)
			l, err := unixsocket.Listen(t.Context(), path)
			if !errors.Is(err, c.want) {
				t.Fatalf("%v, want %v", err, c.want)
			}
			if err != nil {
				if _, err := os.Lstat(path); err != nil {
					t.Errorf("what was there is gone: %v", err)
				}
				return
			}
			defer func() { _ = l.Close() }()
			if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o666 {
				t.Errorf("%v, %v", info.Mode(), err)
			}
		})
	}
}

func TestPath(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{"unix:///run/x.sock": "/run/x.sock", "unix:/run/x.sock": "/run/x.sock", "127.0.0.1:1": ""} {
		if got, ok := unixsocket.Path(address); ok != (want != "") || ok && got != want {
			t.Errorf("%s: %q, %t", address, got, ok)
		}
	}
}
