package sqlite

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// draft is a database that is not in its place yet, in a directory of its own with mode
// 0700. The directory is locked while somebody works on it: one that nobody locks was
// cut off, by a kill or a power cut. SQLite locks the file itself, in another way.
type draft struct {
	dir  *os.File
	path string // of the database
}

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
		dir, locked, err := lockDir(path)
		if err == nil && !errors.Is(locked, unix.EWOULDBLOCK) {
			return draft{dir, filepath.Join(path, "broker.db")}, nil
		}
	}
	return draft{}, unix.EWOULDBLOCK
}

// removeCutOff leaves alone what it cannot open or lock.
func removeCutOff(path string) {
	dir, locked, err := lockDir(path)
	if err != nil {
		return
	}
	if locked == nil {
		_ = os.RemoveAll(path) // the next one tries again
	}
	_ = dir.Close() // nothing was written
}

// lockDir opens a directory and tries to lock it; err: it is not there, or no more. Where
// a file system has no locks nothing is locked, and nothing is taken for cut off.
func lockDir(path string) (dir *os.File, locked, err error) {
	dir, err = os.OpenFile(path, os.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, nil, err
	}
	locked = unix.Flock(int(dir.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if err := stands(dir, path); err != nil {
		return nil, nil, errors.Join(err, dir.Close())
	}
	return dir, locked, nil
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
	_ = os.RemoveAll(filepath.Dir(d.path)) // the next one tries again
	_ = d.dir.Close()                      // nothing was written
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
		err = errors.Join(dir.Sync(), dir.Close())
	}
	if err != nil {
		return fmt.Errorf("sync directory: %w", err)
	}
	return nil
}
