package localapi_test

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/agentkeys/agentkeys/internal/agent/localapi"
)

func TestListenLeavesWhatIsNotStale(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	live, err := localapi.Listen(dir, "live.sock", 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = live.Close() }()
	if _, err := localapi.Listen(dir, "live.sock", 0o600); !errors.Is(err, localapi.ErrInUse) {
		t.Fatalf("live socket: %v", err)
	}
	file := filepath.Join(dir, "file.sock")
	if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := localapi.Listen(dir, "file.sock", 0o600); !errors.Is(err, localapi.ErrPath) {
		t.Fatalf("regular file: %v", err)
	}
	if data, err := os.ReadFile(file); err != nil || string(data) != "x" {
		t.Fatalf("the file was touched: %q %v", data, err)
	}
}

func TestListenReplacesAStaleSocket(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	old, err := net.Listen("unix", filepath.Join(dir, "a.sock"))
	if err != nil {
		t.Fatal(err)
	}
	if unix, ok := old.(*net.UnixListener); ok {
		unix.SetUnlinkOnClose(false)
	}
	if err := old.Close(); err != nil {
		t.Fatal(err)
	}
	l, err := localapi.Listen(dir, "a.sock", 0o600)
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
}

func TestListenNamesAPathThatIsTooLong(t *testing.T) {
	t.Parallel()
	_, err := localapi.Listen(filepath.Join(t.TempDir(), strings.Repeat("d", 100)), "a.sock", 0o600)
	if !errors.Is(err, localapi.ErrPath) || !strings.Contains(err.Error(), "XDG_RUNTIME_DIR") {
		t.Fatal(err)
	}
}
