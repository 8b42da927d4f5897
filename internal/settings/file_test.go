package settings_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/agentkeys/agentkeys/internal/settings"
)

// A file that is there and cannot be read is told; it is not taken for one that says nothing.
func TestOnlyAFileIsRead(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	if err := errors.Join(os.WriteFile(at("file"), []byte("x"), 0o600), os.WriteFile(at("large"), make([]byte, 1<<20+1), 0o600),
		os.Symlink("file", at("link")), os.Symlink("nowhere", at("dangling")), os.Symlink(os.DevNull, at("null")),
		syscall.Mkfifo(at("fifo"), 0o600), os.Mkdir(at("dir"), 0o700)); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"file": "x", "link": "x", "null": ""} {
		if got, err := settings.ReadFile(at(name)); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	for _, name := range []string{"dangling", "fifo", "dir", "large", "file/below"} {
		if _, err := settings.ReadFile(at(name)); err == nil || errors.Is(err, fs.ErrNotExist) || strings.Contains(err.Error(), dir) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := settings.ReadFile(at("missing")); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}

func TestADirectoryIsNamedInFull(t *testing.T) {
	t.Parallel()
	src := source(nil, nil, nil)
	src.Dir = "conf"
	if _, _, err := settings.Load(src); !errors.Is(err, settings.ErrSettings) || !strings.Contains(err.Error(), "AGENTKEYS_CONFIG_DIR") {
		t.Error(err)
	}
}
