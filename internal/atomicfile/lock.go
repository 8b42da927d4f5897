package atomicfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// lockTries is how often Lock starts again because another process removed or made the lock
// file in between.
const lockTries = 8

// Lock uses flock(2). Its lock belongs to the open file, so it excludes other goroutines of
// this process too, and ends with the process.
func (d systemDir) Lock(name string) (io.Closer, error) {
	for range lockTries {
		lock, err := d.tryLock(name)
		if err == nil {
			return held{lock}, nil
		}
		if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrExist) {
			return nil, err
		}
		if _, gone := d.root.Stat("."); gone != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("%s: %w", name, fs.ErrNotExist)
}

// held is a lock that Close releases explicitly: a child process that another goroutine is just
// starting has the file open too, until its exec.
type held struct{ *os.File }

func (h held) Close() error {
	return errors.Join(unix.Flock(int(h.Fd()), unix.LOCK_UN), h.File.Close())
}

// tryLock returns fs.ErrNotExist or fs.ErrExist if another process was faster.
func (d systemDir) tryLock(name string) (*os.File, error) {
	f, err := openToLock(func(flag int) (*os.File, error) { return d.openRegular(name, flag) })
	if errors.Is(err, fs.ErrNotExist) {
		f, err = d.makeLock(name)
	}
	if err != nil {
		return nil, err
	}
	if err := flock(f); err != nil {
		_ = f.Close() // nothing was written
		return nil, err
	}
	// The previous holder may have removed the file. A lock on a removed file excludes no process.
	now, err := d.root.Lstat(name)
	var mine os.FileInfo
	if err == nil {
		mine, err = f.Stat()
	}
	if err == nil && !os.SameFile(now, mine) {
		err = fs.ErrNotExist
	}
	if err != nil {
		_ = f.Close() // nothing was written
		return nil, err
	}
	return f, nil
}

// openToLock opens for writing, because NFS grants an exclusive lock only then (EBADF). Only on
// a read-only file system, where no process changes anything, it opens for reading.
func openToLock(open func(flag int) (*os.File, error)) (*os.File, error) {
	f, err := open(os.O_RDWR)
	if errors.Is(err, unix.EROFS) {
		return open(os.O_RDONLY)
	}
	return f, err
}

func (d systemDir) makeLock(name string) (*os.File, error) {
	f, err := d.root.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	if err := inheritOwner(d, systemFile{f}); err != nil {
		_ = f.Close() // nothing was written
		return nil, err
	}
	return f, nil
}

func flock(f *os.File) error {
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.EWOULDBLOCK):
			return ErrLocked
		}
		return err
	}
}
