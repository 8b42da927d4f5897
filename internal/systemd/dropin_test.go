package systemd_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/agentkeys/agentkeys/internal/systemd"
	"github.com/agentkeys/agentkeys/internal/wallet"
)

func pi() systemd.User { return systemd.User{Name: "pi", Group: "pi", UID: 1000, GID: 1000} }

// board is a machine whose /etc/systemd/system is there.
func board(t *testing.T) systemd.Machine {
	t.Helper()
	m := systemd.Machine{Root: t.TempDir()}
	write(t, filepath.Join(m.Root, "etc/systemd/system/x"), "")
	return m
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestADropInIsWrittenOnceAndRemoved(t *testing.T) {
	t.Parallel()
	m, w := board(t), wallet.New()
	if _, err := m.RunsAs(w); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("before: %v", err)
	}
	for round, want := range []bool{true, false} {
		changed, err := m.WriteDropIn(w, pi())
		if changed != want || err != nil {
			t.Errorf("write %d: %v, %v", round, changed, err)
		}
	}
	if user, err := m.RunsAs(w); user != "pi" || err != nil {
		t.Errorf("%q, %v", user, err)
	}
	if changed, err := m.WriteDropIn(w, systemd.User{Name: "bob", Group: "bob", UID: 1001, GID: 1001}); !changed || err != nil {
		t.Errorf("another user: %v, %v", changed, err)
	}
	info, err := os.Stat(m.DropInPath(w))
	if err != nil || info.Mode().Perm() != 0o644 {
		t.Errorf("%v, %v", info, err)
	}
	for round, want := range []bool{true, false} {
		removed, err := m.RemoveDropIn(w)
		if removed != want || err != nil {
			t.Errorf("remove %d: %v, %v", round, removed, err)
		}
	}
	if _, err := os.Stat(filepath.Dir(m.DropInPath(w))); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the empty directory stays: %v", err)
	}
}

func TestWhatAPersonWroteIsLeftAlone(t *testing.T) {
	t.Parallel()
	for name, put := range map[string]func(t *testing.T, path string){
		"another text": func(t *testing.T, path string) { write(t, path, "[Service]\nUser=bob\n") },
		"an empty one": func(t *testing.T, path string) { write(t, path, "") },
		"a link": func(t *testing.T, path string) {
			write(t, path+".target", "")
			if err := os.Symlink(path+".target", path); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, w := board(t), wallet.New()
			put(t, m.DropInPath(w))
			before, err := os.ReadFile(m.DropInPath(w))
			if err != nil {
				t.Fatal(err)
			}
			var foreign *systemd.ForeignError
			if _, err := m.WriteDropIn(w, pi()); !errors.As(err, &foreign) || foreign.Path != m.DropInPath(w) || !errors.Is(err, systemd.ErrForeign) {
				t.Errorf("write: %v", err)
			}
			if removed, err := m.RemoveDropIn(w); removed || err != nil {
				t.Errorf("remove: %v, %v", removed, err)
			}
			if after, err := os.ReadFile(m.DropInPath(w)); err != nil || string(after) != string(before) {
				t.Errorf("%q, %v", after, err)
			}
		})
	}
}

func TestAPersonsOwnDropInsStay(t *testing.T) {
	t.Parallel()
	m, w := board(t), wallet.New()
	if _, err := m.WriteDropIn(w, pi()); err != nil {
		t.Fatal(err)
	}
	own := filepath.Join(filepath.Dir(m.DropInPath(w)), "memory.conf")
	write(t, own, "[Service]\nMemoryMax=64M\n")
	if removed, err := m.RemoveDropIn(w); !removed || err != nil {
		t.Errorf("%v, %v", removed, err)
	}
	if _, err := os.Stat(own); err != nil {
		t.Error(err)
	}
}

// A name with systemd's or a file's own signs in it is written as its number.
func TestANameThatAUnitReadsOtherwiseIsANumber(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"%u", "DOMAIN\\pi", "a b", "pi\nUser=root", "", "0pi"} {
		m, w := board(t), wallet.New()
		if _, err := m.WriteDropIn(w, systemd.User{Name: name, Group: name, UID: 1007, GID: 1008}); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(m.DropInPath(w))
		if err != nil || !strings.Contains(string(text), "\nUser=1007\nGroup=1008\n") || strings.Count(string(text), "User=") != 1 {
			t.Errorf("%q: %v, %s", name, err, text)
		}
	}
}

// A file that was left before the rename is no drop-in, and does not prevent a new one.
func TestALeftOverOfAPowerCutIsReplaced(t *testing.T) {
	t.Parallel()
	m, w := board(t), wallet.New()
	write(t, m.DropInPath(w)+".tmp", "half")
	if _, err := m.RunsAs(w); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v", err)
	}
	if _, err := m.WriteDropIn(w, pi()); err != nil {
		t.Fatal(err)
	}
	if user, err := m.RunsAs(w); user != "pi" || err != nil {
		t.Errorf("%q, %v", user, err)
	}
}
