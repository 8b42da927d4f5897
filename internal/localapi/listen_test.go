package localapi_test

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/agentkeys/agentkeys/internal/localapi"
)

// Not parallel: the umask belongs to the process.
func TestListenGivesExactlyTheMode(t *testing.T) { //nolint:paralleltest // umask
	old := syscall.Umask(0o027)
	defer syscall.Umask(old)
	for _, mode := range []fs.FileMode{0o666, 0o600} {
		l, err := localapi.Listen(t.TempDir(), "a.sock", mode)
		if err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(l.Addr().String())
		if err != nil || info.Mode().Perm() != mode {
			t.Fatalf("%v %v", info.Mode(), err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if got := syscall.Umask(0o027); got != 0o027 {
		t.Fatalf("the umask stayed at %o", got)
	}
}

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
