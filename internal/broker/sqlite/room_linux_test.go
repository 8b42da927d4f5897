package sqlite_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/agentkeys/agentkeys/internal/broker"
	"github.com/agentkeys/agentkeys/internal/broker/sqlite"
	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/test/needs"
)

// mounted is a small file system of its own.
func mounted(t *testing.T, size string) string {
	t.Helper()
	needs.Mounts(t)
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "mode=0700,size="+size); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func fill(t *testing.T, dir string) (path string) {
	t.Helper()
	path = filepath.Join(dir, "fill")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	block := bytes.Repeat([]byte{1}, 4096)
	for err == nil {
		_, err = f.Write(block)
	}
	if !errors.Is(err, unix.ENOSPC) {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// large is more than fits into pages that the log has already.
func large(s *sqlite.Store, t *testing.T) error {
	return s.Update(t.Context(), func(tx broker.Tx) error { return tx.SetMeta("large", strings.Repeat("x", 512<<10)) })
}

func wantReason(t *testing.T, what, want string, err error) {
	t.Helper()
	var u *broker.Unwritable
	if !errors.As(err, &u) || u.Reason != want {
		t.Errorf("%s: %v, want %s", what, err, want)
	}
}

func TestADiskThatIsFull(t *testing.T) {
	t.Parallel()
	dir := mounted(t, "24m")
	s := open(t, filepath.Join(dir, "broker.db"))
	filled := fill(t, dir)
	wantReason(t, "room", protocol.ReadOnlyNoSpace, s.Room())
	wantReason(t, "a change", protocol.ReadOnlyNoSpace, large(s, t))
	err := s.View(t.Context(), func(tx broker.Tx) error {
		_, err := tx.CountAccounts()
		return err
	})
	if err != nil {
		t.Errorf("a look: %v", err)
	}
	if !s.Release() || s.Release() {
		t.Error("there is not one reserve")
	}
	if err := large(s, t); err != nil {
		t.Errorf("with the reserve: %v", err)
	}
	if err := os.Remove(filled); err != nil {
		t.Fatal(err)
	}
	if err := s.Room(); err != nil {
		t.Error(err)
	}
	if s.Reserve(); !s.Release() {
		t.Error("with room again there is no reserve")
	}
}

func TestASmallDiskHasNoReserve(t *testing.T) {
	t.Parallel()
	s := open(t, filepath.Join(mounted(t, "4m"), "broker.db"))
	if s.Release() {
		t.Error("there is a reserve")
	}
}

func TestADiskThatIsMountedReadOnly(t *testing.T) {
	t.Parallel()
	dir := mounted(t, "24m")
	s := open(t, filepath.Join(dir, "broker.db"))
	if err := s.Room(); err != nil {
		t.Fatal(err)
	}
	// Over it, since a file that is open keeps its own mount writable.
	if err := unix.Mount(dir, dir, "", unix.MS_BIND, ""); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := unix.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	}()
	if err := unix.Mount("", dir, "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	wantReason(t, "room", protocol.ReadOnlyMount, s.Room())
	if again, err := sqlite.Open(t.Context(), filepath.Join(dir, "broker.db")); !errors.Is(err, unix.EROFS) {
		t.Error(again, err)
	}
}
