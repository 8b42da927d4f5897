package atomicfile_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/agentkeys/agentkeys/internal/atomicfile"
	"github.com/agentkeys/agentkeys/test/needs"
)

// NFS grants an exclusive lock only to a descriptor that is open for writing.
func TestALockIsOpenForWriting(t *testing.T) {
	t.Parallel()
	dir := openDir(t, atomicfile.System{}, t.TempDir())
	for _, when := range []string{"made", "there already"} {
		lock, err := dir.Lock(".lock")
		if err != nil {
			t.Fatal(err)
		}
		file, ok := lock.(interface{ Fd() uintptr })
		if !ok {
			t.Fatalf("a lock is no file: %T", lock)
		}
		flags, err := unix.FcntlInt(file.Fd(), unix.F_GETFL, 0)
		if err != nil || flags&unix.O_ACCMODE != unix.O_RDWR {
			t.Errorf("the lock that is %s: flags %#x, %v", when, flags, err)
		}
		if err := lock.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestALockIsOpenForReadingOnlyWhereNothingMayBeWritten(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		err  error
		want []int
	}{
		"all is well":               {nil, []int{os.O_RDWR}},
		"a read-only file system":   {syscall.EROFS, []int{os.O_RDWR, os.O_RDONLY}},
		"another user's file":       {syscall.EACCES, []int{os.O_RDWR}},
		"a server that has lost it": {syscall.ESTALE, []int{os.O_RDWR}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var asked []int
			_, err := atomicfile.OpenToLock(func(flag int) (*os.File, error) {
				asked = append(asked, flag)
				if flag == os.O_RDWR {
					return nil, c.err
				}
				return nil, nil
			})
			if fmt.Sprint(asked) != fmt.Sprint(c.want) {
				t.Errorf("opened with %v, want %v", asked, c.want)
			}
			if c.err != nil && len(c.want) == 1 && !errors.Is(err, c.err) {
				t.Errorf("error %v", err)
			}
		})
	}
}

func TestAFileSystemThatCannotSyncDirectoriesIsUsedAllTheSame(t *testing.T) {
	t.Parallel()
	for err, want := range map[error]bool{
		syscall.EINVAL: true, syscall.ENOTSUP: true, syscall.ENOSYS: true,
		syscall.EIO: false, syscall.ENOSPC: false, syscall.EDQUOT: false, syscall.EROFS: false, syscall.ESTALE: false, syscall.EBADF: false,
	} {
		if got := atomicfile.NoDirSync(&os.PathError{Op: "sync", Path: "/x", Err: err}); got != want {
			t.Errorf("%v: %v", err, got)
		}
	}
	if atomicfile.NoDirSync(nil) {
		t.Error("no error")
	}
}

// The directories of /proc say EINVAL to fsync(2), as shared folders do.
func TestADirectoryThatCannotBeSyncedSaysSo(t *testing.T) {
	t.Parallel()
	needs.Linux(t)
	dir, err := atomicfile.System{}.OpenDir("/proc")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = dir.Close() }() // nothing is written
	if err := dir.Sync(); err != nil {
		t.Errorf("sync: %v", err)
	}
	if can, err := dir.CanSync(); can || err != nil {
		t.Errorf("can sync: %v, %v", can, err)
	}
	own := openDir(t, atomicfile.System{}, t.TempDir())
	if can, err := own.CanSync(); !can || err != nil {
		t.Errorf("here it can: %v, %v", can, err)
	}
}

// A client of NFS that went down leaves what it had replaced, with all that was in it.
func TestWhatAClientOfNFSLeftIsRemoved(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	for _, name := range []string{".nfs000000000001", ".fuse_hidden0001", ".f.0123456789abcdef.tmp", "session.json"} {
		if err := os.WriteFile(filepath.Join(path, name), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	dir := openDir(t, atomicfile.System{}, path)
	if err := atomicfile.Clean(dir); err != nil {
		t.Fatal(err)
	}
	if names, err := dir.Names(); err != nil || len(names) != 1 || names[0] != "session.json" {
		t.Errorf("%v, %v", names, err)
	}
}
