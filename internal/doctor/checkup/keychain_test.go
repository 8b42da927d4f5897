package checkup

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

func TestWhatIsNoFileIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file, fifo := filepath.Join(dir, "login.keyring"), filepath.Join(dir, "fifo")
	if err := os.WriteFile(file, []byte("[keyring]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	if start, err := firstBytes(file); err != nil || string(start) != "[keyring]\n" {
		t.Errorf("a file: %q, %v", start, err)
	}
	for name, path := range map[string]string{"a FIFO": fifo, "a directory": dir, "a device": "/dev/zero", "nothing": filepath.Join(dir, "none")} {
		if start, err := firstBytes(path); err == nil {
			t.Errorf("%s: %q", name, start)
		}
	}
}
