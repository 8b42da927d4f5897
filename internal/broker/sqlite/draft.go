package sqlite

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/agentkeys/agentkeys/internal/atomicfile"
)

// draft is a database that is not in its place yet, in a directory of its own with mode
// 0700. A file in it is locked while somebody works on it: one that nobody locks was
// cut off, by a kill or a power cut. SQLite locks the database itself, in another way.
type draft struct {
	lock *os.File
	path string // of the database
}

// draftLock is a file because NFS locks no directory: only what is open for writing.
const draftLock = ".lock"

// newDraft makes one in parent, and removes there what was cut off: each holds all that
// a broker has. pattern is that of os.MkdirTemp.
func newDraft(parent, pattern string) (draft, error) {
	entries, err := os.ReadDir(parent)
	if err != nil {
		return draft{}, err
	}
	for _, e := range entries {
		if cutOff, _ := filepath.Match(pattern, e.Name()); cutOff && e.IsDir() {
			removeCutOff(filepath.Join(parent, e.Name()))
		}
	}
	for range 10 { // somebody may take it for one that was cut off before it is locked
		path, err := os.MkdirTemp(parent, pattern)
		if err != nil {
			return draft{}, err
		}
		lock, locked, err := lockDir(path)
		if err == nil && !errors.Is(locked, unix.EWOULDBLOCK) {
			return draft{lock, filepath.Join(path, "broker.db")}, nil
		}
	}
	return draft{}, unix.EWOULDBLOCK
}

// removeCutOff leaves alone what it cannot open or lock.
func removeCutOff(path string) {
	lock, locked, err := lockDir(path)
	if err != nil {
		return
	}
	if locked == nil {
		removeLocked(path, lock)
		return
	}
	_ = lock.Close() // nothing was written
}

// removeLocked removes a directory and ends its lock. On NFS the lock's file, which is
// open, stays under another name until then.
func removeLocked(path string, lock *os.File) {
	err := os.RemoveAll(path)
	_ = lock.Close() // nothing was written
	if err != nil {
		_ = os.RemoveAll(path) // the next one tries again
	}
}

// lockDir tries to lock a directory; err: it is not there, or no more. Where a file
// system has no locks nothing is locked, and nothing is taken for cut off.
func lockDir(path string) (lock *os.File, locked, err error) {
	dir, err := os.OpenFile(path, os.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = dir.Close() }() // nothing is written through it
	fd, err := unix.Openat(int(dir.Fd()), draftLock, unix.O_RDWR|unix.O_CREAT|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, nil, &fs.PathError{Op: "open", Path: filepath.Join(path, draftLock), Err: err}
	}
	lock = os.NewFile(uintptr(fd), draftLock)
	locked = unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if err := stands(lock, filepath.Join(path, draftLock)); err != nil {
		return nil, nil, errors.Join(err, lock.Close())
	}
	return lock, locked, nil
}

func stands(f *os.File, path string) error {
	here, err := f.Stat()
	if err != nil {
		return err
	}
	there, err := os.Lstat(path)
	if err == nil && !os.SameFile(here, there) {
		err = fs.ErrNotExist
	}
	return err
}

// finish makes what was written durable, unless that failed before.
func (d draft) finish(err error) error {
	if err != nil {
		return err
	}
	f, err := os.OpenFile(d.path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Chmod(0o600), f.Sync(), f.Close())
}

// discard removes what is left of it, and ends the lock.
func (d draft) discard() {
	removeLocked(filepath.Dir(d.path), d.lock)
}

// placeNew gives a file the name to, durably, unless something has it: fs.ErrExist. A
// file system without second names, as on most USB sticks, has the name taken first.
func placeNew(from, to string) error {
	err := os.Link(from, to)
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.ENOTSUP) || errors.Is(err, unix.ENOSYS) {
		err = placeTaken(from, to)
	}
	if err != nil {
		return err
	}
	return syncDir(filepath.Dir(to))
}

func placeTaken(from, to string) error {
	f, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if err := errors.Join(f.Close(), os.Rename(from, to)); err != nil {
		return errors.Join(err, os.Remove(to))
	}
	return nil
}

func syncDir(path string) error {
	dir, err := os.Open(path)
	if err == nil {
		err = errors.Join(atomicfile.SyncDir(dir), dir.Close())
	}
	if err != nil {
		return fmt.Errorf("sync directory: %w", err)
	}
	return nil
}
