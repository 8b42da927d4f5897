package atomicfile_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/agentkeys/agentkeys/internal/atomicfile"
	"github.com/agentkeys/agentkeys/internal/store/storetest"
)

func openDir(t *testing.T, files atomicfile.FS, path string) atomicfile.Dir {
	t.Helper()
	dir, err := files.OpenDir(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = dir.Close() }) // synced by each write
	return dir
}

func TestWriteReplacesAndMakesModeStrict(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	if err := os.WriteFile(filepath.Join(path, "f"), []byte("a much longer old text"), 0o644); err != nil {
		t.Fatal(err)
	}
	dir := openDir(t, atomicfile.System{}, path)
	if err := atomicfile.Write(dir, "f", []byte("new")); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(path, "f"))
	if err != nil || string(data) != "new" {
		t.Fatalf("%q, %v", data, err)
	}
	if info, err := dir.Lstat("f"); err != nil || info.Mode != 0o600 || info.Links != 1 || info.Size != 3 {
		t.Fatalf("%+v, %v", info, err)
	}
	if names, err := dir.Names(); err != nil || len(names) != 1 {
		t.Fatalf("left over: %v, %v", names, err)
	}
}

// A link under the name is replaced, never written through.
func TestWriteFollowsNoLink(t *testing.T) {
	t.Parallel()
	path, target := t.TempDir(), filepath.Join(t.TempDir(), "target")
	if err := errors.Join(os.WriteFile(target, []byte("old"), 0o600), os.Symlink(target, filepath.Join(path, "f"))); err != nil {
		t.Fatal(err)
	}
	if err := atomicfile.Write(openDir(t, atomicfile.System{}, path), "f", []byte("new")); err != nil {
		t.Fatal(err)
	}
	if data, err := os.ReadFile(target); err != nil || string(data) != "old" {
		t.Fatalf("target: %q, %v", data, err)
	}
}

// TestWriteIsAllOrNothing cuts the power at every operation of a write, in every
// way the disk may keep it.
func TestWriteIsAllOrNothing(t *testing.T) {
	t.Parallel()
	for at := range 20 {
		for choice := range 32 {
			disk := storetest.NewDisk(nil)
			process := disk.Process()
			if err := process.MakeDir("/d", 0o700); err != nil {
				t.Fatal(err)
			}
			dir := openDir(t, process, "/d")
			if err := atomicfile.Write(dir, "f", []byte("old")); err != nil {
				t.Fatal(err)
			}
			process.CrashAfter(at)
			err := atomicfile.Write(dir, "f", []byte("new"))
			disk.PowerCut(func(n int) int { return choice % n }, process)
			got := disk.Files()["/d/f"]
			if got != "new" && (err == nil || got != "old") {
				t.Fatalf("crash at %d, choice %d: %q after %v", at, choice, got, err)
			}
			after := openDir(t, disk.Process(), "/d")
			if err := atomicfile.Clean(after); err != nil {
				t.Fatal(err)
			}
			if left, err := atomicfile.HasLeftovers(after); err != nil || left || len(disk.Files()) != 1 {
				t.Fatalf("crash at %d: left over %v, %v", at, disk.Files(), err)
			}
		}
	}
}

func TestOpenRefusesWhatIsNoRegularFile(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	err := errors.Join(
		os.WriteFile(filepath.Join(path, "file"), nil, 0o600),
		os.Symlink("file", filepath.Join(path, "link")),
		os.Symlink("directory", filepath.Join(path, "link to directory")),
		os.Mkdir(filepath.Join(path, "directory"), 0o700),
		syscall.Mkfifo(filepath.Join(path, "fifo"), 0o600),
	)
	if err != nil {
		t.Fatal(err)
	}
	dir := openDir(t, atomicfile.System{}, path)
	for _, name := range []string{"link", "directory", "fifo"} {
		if _, err := dir.Open(name); !errors.Is(err, atomicfile.ErrWrongType) {
			t.Errorf("open %s: %v", name, err)
		}
		if _, err := dir.Lock(name); !errors.Is(err, atomicfile.ErrWrongType) {
			t.Errorf("lock %s: %v", name, err)
		}
	}
	for _, name := range []string{"file", "link to directory", "fifo"} {
		if _, err := dir.OpenDir(name); !errors.Is(err, atomicfile.ErrWrongType) {
			t.Errorf("open directory %s: %v", name, err)
		}
	}
	if _, err := dir.Open("absent"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("open absent: %v", err)
	}
}

func TestLockExcludesOthersUntilClosed(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	one, two := openDir(t, atomicfile.System{}, path), openDir(t, atomicfile.System{}, path)
	lock, err := one.Lock(".lock")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := two.Lock(".lock"); !errors.Is(err, atomicfile.ErrLocked) {
		t.Fatalf("second holder: %v", err)
	}
	// What a child of this process has between its fork and its exec.
	inherited, err := syscall.Dup(int(lock.(interface{ Fd() uintptr }).Fd()))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = syscall.Close(inherited) }()
	if err := lock.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := two.Lock(".lock"); err != nil {
		t.Fatalf("after close: %v", err)
	}
	if err := os.RemoveAll(path); err != nil {
		t.Fatal(err)
	}
	if _, err := one.Lock(".lock"); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("in a directory that is gone: %v", err)
	}
}

func TestMakeDirMakesParents(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a", "b", "c")
	for range 2 {
		if err := (atomicfile.System{}).MakeDir(path, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o700 {
		t.Fatalf("%v, %v", info, err)
	}
}

// A directory that another process removed while it is open has no entries.
func TestADirectoryThatIsGoneHasNoNames(t *testing.T) {
	t.Parallel()
	for name, files := range map[string]atomicfile.FS{"the system": atomicfile.System{}, "the disk of tests": storetest.NewDisk(nil).Process()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "d")
			if err := files.MakeDir(path, 0o700); err != nil {
				t.Fatal(err)
			}
			dir, parent := openDir(t, files, path), openDir(t, files, filepath.Dir(path))
			if err := parent.Remove("d"); err != nil {
				t.Fatal(err)
			}
			if names, err := dir.Names(); err != nil || len(names) > 0 {
				t.Errorf("%v, %v", names, err)
			}
			if left, err := atomicfile.HasLeftovers(dir); err != nil || left {
				t.Errorf("%v, %v", left, err)
			}
		})
	}
}
