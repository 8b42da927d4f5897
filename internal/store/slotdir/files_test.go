package slotdir_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/store/slotdir"
	"github.com/agentkeys/agentkeys/internal/wallet"
)

func must(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

func newHome(t *testing.T, cfg slotdir.Config) *slotdir.Home {
	t.Helper()
	if cfg.Home == "" {
		cfg.Home = filepath.Join(t.TempDir(), "home")
	}
	return slotdir.New(cfg)
}

func makeSlot(t *testing.T, home *slotdir.Home, id session.ID) *slotdir.Slot {
	t.Helper()
	s, err := home.Make(id)
	must(t, err)
	t.Cleanup(s.Close)
	return s
}

func TestStateFiles(t *testing.T) {
	t.Parallel()
	home := newHome(t, slotdir.Config{FileLimit: 100})
	files, id := home.Files(), session.Master()
	if err := files.WriteFile(id, "cache.json", []byte("x")); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("write to no slot: %v", err)
	}
	makeSlot(t, home, id)
	if _, err := files.ReadFile(id, "cache.json"); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("absent file: %v", err)
	}
	must(t, files.WriteFile(id, "cache.json", []byte("one")))
	if err := files.WriteFile(id, "cache.json", make([]byte, 101)); !errors.Is(err, slotdir.ErrTooBig) {
		t.Fatalf("too big: %v", err)
	}
	if got, err := files.ReadFile(id, "cache.json"); err != nil || string(got) != "one" {
		t.Fatalf("read: %q, %v", got, err)
	}
	must(t, os.WriteFile(filepath.Join(files.Dir(id), "cache.json"), make([]byte, 101), 0o600))
	if _, err := files.ReadFile(id, "cache.json"); !errors.Is(err, slotdir.ErrTooBig) {
		t.Fatalf("read of a file that is too big: %v", err)
	}
	for _, name := range []string{"", ".lock", "session.json", "../x", "a/b", "session.json.corrupt-1", "A"} {
		if err := files.WriteFile(id, name, nil); !errors.Is(err, slotdir.ErrName) {
			t.Errorf("name %q: %v", name, err)
		}
	}
	for range 2 {
		must(t, files.RemoveFile(id, "cache.json"))
	}
	must(t, files.RemoveFile(session.DaemonID(wallet.New()), "cache.json"))
}

func TestInsecureStateFilesAndLocksAreRefused(t *testing.T) {
	t.Parallel()
	id := session.Master()
	for name, c := range map[string]struct {
		file string
		call func(*slotdir.Slot, slotdir.Files) error
	}{
		"read": {"cache.json", func(_ *slotdir.Slot, f slotdir.Files) error {
			_, err := f.ReadFile(id, "cache.json")
			return err
		}},
		"write":  {"cache.json", func(_ *slotdir.Slot, f slotdir.Files) error { return f.WriteFile(id, "cache.json", nil) }},
		"remove": {"cache.json", func(_ *slotdir.Slot, f slotdir.Files) error { return f.RemoveFile(id, "cache.json") }},
		"lock": {".lock", func(s *slotdir.Slot, _ slotdir.Files) error {
			return s.Locked(context.Background(), func() error { return nil })
		}},
		"run lock": {".run.lock", func(s *slotdir.Slot, _ slotdir.Files) error { _, err := s.HoldRun(); return err }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			home := newHome(t, slotdir.Config{})
			s := makeSlot(t, home, id)
			target := filepath.Join(t.TempDir(), "target")
			must(t, os.WriteFile(target, []byte("x"), 0o600), os.Symlink(target, filepath.Join(s.Path(), c.file)))
			if err := c.call(s, home.Files()); !errors.Is(err, slotdir.ErrInsecure) {
				t.Errorf("%v", err)
			}
			if data, err := os.ReadFile(target); err != nil || string(data) != "x" {
				t.Errorf("target: %q, %v", data, err)
			}
		})
	}
}
