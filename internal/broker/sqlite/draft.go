package sqlite

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// draft is a database that is not in its place yet, mode 0600. It is locked while
// somebody works on it: one that nobody locks was cut off, by a kill or a power cut.
type draft struct{ *os.File }

// newDraft makes one in dir, and removes there what was cut off: each holds all that a
// broker has. pattern is that of os.CreateTemp.
func newDraft(dir, pattern string) (draft, error) {
	left, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil {
		return draft{}, err
	}
	for _, path := range left {
		removeCutOff(path)
	}
	for {
		f, err := os.CreateTemp(dir, pattern)
		if err != nil {
			return draft{}, err
		}
		// Where nobody can lock, nothing is taken for cut off either.
		if err := lock(f); !errors.Is(err, unix.EWOULDBLOCK) && stands(f) {
			return draft{f}, nil
		}
		_ = f.Close() // between the two calls somebody took it for one that was cut off
	}
}

func stands(f *os.File) bool {
	there, err := os.Lstat(f.Name())
	if err != nil {
		return false
	}
	here, err := f.Stat()
	return err == nil && os.SameFile(here, there)
}

// removeCutOff leaves alone what it cannot open or lock; SQLite's journal goes too.
func removeCutOff(path string) {
	f, err := os.OpenFile(path, os.O_RDWR|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return
	}
	if lock(f) == nil {
		_ = os.Remove(path) // the next one tries again
		_ = os.Remove(path + "-journal")
	}
	_ = f.Close() // nothing was written
}

func lock(f *os.File) error { return unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) }

// finish makes what was written durable, and joins that with the error before it.
func (d draft) finish(err error) error { return errors.Join(err, d.Sync()) }

// discard removes it, if it is still there, and ends the lock.
func (d draft) discard() {
	_ = os.Remove(d.Name()) // in its place by another name, or of no use
	_ = d.Close()           // synced before
}

// placeNew gives a file the name to, durably, unless something has it: fs.ErrExist. A
// file system without second names, as on most USB sticks, has the name taken first.
func placeNew(from, to string) error {
	err := os.Link(from, to)
	if err != nil && !errors.Is(err, fs.ErrExist) {
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
