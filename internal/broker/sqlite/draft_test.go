package sqlite_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/agentkeys/agentkeys/internal/broker/sqlite"
)

func write(t *testing.T, dir, name string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(name), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func names(t *testing.T, dir string) (all []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return all
}

// A draft that was cut off holds all that a broker has. A link is none of ours.
func TestABackupRemovesWhatWasCutOffBefore(t *testing.T) {
	t.Parallel()
	_, path := filled(t, "1")
	dir, elsewhere := filepath.Join(t.TempDir(), "a[1]*"), t.TempDir() // no pattern, whatever is in it
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	cut := filepath.Join(dir, ".agentkeys-broker-1.tmp")
	if err := os.Mkdir(cut, 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, cut, "broker.db")
	write(t, cut, "broker.db-journal")
	write(t, dir, "other.tmp")
	write(t, elsewhere, "precious")
	if err := os.Symlink(elsewhere, filepath.Join(dir, ".agentkeys-broker-2.tmp")); err != nil {
		t.Fatal(err)
	}
	if err := sqlite.Backup(t.Context(), path, filepath.Join(dir, "backup"), nil); err != nil {
		t.Fatal(err)
	}
	if left := names(t, dir); !slices.Equal(left, []string{".agentkeys-broker-2.tmp", "backup", "other.tmp"}) {
		t.Errorf("left: %v", left)
	}
	if left := names(t, elsewhere); len(left) != 1 {
		t.Errorf("beyond the link: %v", left)
	}
}

// Two at once: neither takes the other's draft for one that was cut off.
func TestBackupsAtTheSameTime(t *testing.T) {
	t.Parallel()
	_, path := filled(t, "1")
	dir := t.TempDir()
	done := make(chan error)
	for _, name := range []string{"a", "b", "c", "d"} {
		go func() { done <- sqlite.Backup(t.Context(), path, filepath.Join(dir, name), nil) }()
	}
	for range 4 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	for _, name := range names(t, dir) {
		if _, err := sqlite.Look(t.Context(), filepath.Join(dir, name)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if left := names(t, dir); len(left) != 4 {
		t.Errorf("left: %v", left)
	}
}

// exFAT and FAT know no second names of a file (hard links).
func TestABackupOnAFileSystemWithoutSecondNames(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	from, to := write(t, dir, "draft"), filepath.Join(dir, "backup")
	if err := sqlite.PlaceTaken(from, to); err != nil {
		t.Fatal(err)
	}
	if data, err := os.ReadFile(to); err != nil || string(data) != "draft" {
		t.Errorf("%q, %v", data, err)
	}
	if err := sqlite.PlaceTaken(write(t, dir, "other"), to); !errors.Is(err, fs.ErrExist) {
		t.Errorf("over another file: %v", err)
	}
	if err := sqlite.PlaceTaken(filepath.Join(dir, "none"), filepath.Join(dir, "new")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("of nothing: %v", err)
	}
	if left := names(t, dir); !slices.Equal(left, []string{"backup", "other"}) {
		t.Errorf("left: %v", left)
	}
}
