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

// draft is a database that is not at its final path yet, in a directory of its own with mode
// 0700. A file in that directory is locked while a process works on the draft, so an unlocked
// one was left by a process that was killed or lost power. SQLite's own locks on the database
// are independent of this lock.
type draft struct {
	lock *os.File
	path string // of the database
}

// draftLock is a file because NFS locks only what is open for writing, and so no directory.
const draftLock = ".lock"

// newDraft makes a draft in parent. It removes abandoned drafts there, because each holds all
// data of a broker. pattern is as for os.MkdirTemp.
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
	for range 10 { // another process may remove it as abandoned before it is locked
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

// removeCutOff removes an abandoned draft. It leaves alone what it cannot open or lock.
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

// removeLocked removes a directory and releases its lock. On NFS the open lock file stays
// under another name until then.
func removeLocked(path string, lock *os.File) {
	err := os.RemoveAll(path)
	_ = lock.Close() // nothing was written
	if err != nil {
		_ = os.RemoveAll(path) // the next newDraft tries again
	}
}

// lockDir tries to lock a directory; err: it does not exist. On a file system without locks
// nothing is locked, and no draft counts as abandoned.
func lockDir(path string) (lock *os.File, locked, err error) {
	dir, err := os.OpenFile(path, os.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = dir.Close() }() // nothing was written to it
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

// finish makes the draft durable, unless err says that writing it failed.
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

// discard removes what is left of the draft, and releases the lock.
func (d draft) discard() {
	removeLocked(filepath.Dir(d.path), d.lock)
}

// placeNew renames a file to to, durably. If to exists, it is left alone: fs.ErrExist. On a file
// system without hard links, as on most USB sticks, an empty file reserves the name first.
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
