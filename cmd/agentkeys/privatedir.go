package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

const privatePrefix = "agentkeys-run-"

// privateParents are the parents for private directories, the best first: in memory, that is the
// user's runtime directory or /dev/shm, if the machine has them; else the directory of temporary
// files.
func (a *app) privateParents() []string {
	var parents []string
	for _, parent := range []string{a.getenv("XDG_RUNTIME_DIR"), "/dev/shm"} {
		if filepath.IsAbs(parent) {
			parents = append(parents, parent)
		}
	}
	return append(parents, os.TempDir())
}

// privateDir makes a directory with mode 0700 and holds a lock on it, which tells other processes
// that it is in use, until release or the end of this process.
func (a *app) privateDir() (dir string, release func(), err error) {
	parents := a.privateParents()
	for i, parent := range parents {
		if dir, release, err = makeLocked(parent); err != nil {
			continue
		}
		if i == len(parents)-1 {
			a.log.Warn("credentials directory is on disk", "path", dir)
		}
		return dir, release, nil
	}
	return "", nil, fmt.Errorf("make credentials directory: %w", err)
}

// makeLocked tries again if a sweep of another process removed the directory before it was locked.
func makeLocked(parent string) (string, func(), error) {
	for {
		dir, err := os.MkdirTemp(parent, privatePrefix)
		if err != nil {
			return "", nil, err
		}
		lock, err := lockDir(dir)
		if err == nil {
			return dir, func() { _ = lock.Close() }, nil // it was only read
		}
		if errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.EWOULDBLOCK) {
			continue
		}
		if errors.Is(err, syscall.EBADF) { // NFS locks no directory, so no sweep takes it for abandoned
			return dir, func() {}, nil
		}
		return "", nil, errors.Join(err, os.Remove(dir))
	}
}

// sweepPrivateDirs removes directories of this user that are not locked any more: those of a
// `run --files` that was killed before it could remove its own.
func (a *app) sweepPrivateDirs() {
	for _, parent := range a.privateParents() {
		found, err := os.ReadDir(parent)
		if err != nil {
			continue
		}
		for _, entry := range found {
			if strings.HasPrefix(entry.Name(), privatePrefix) {
				a.sweep(filepath.Join(parent, entry.Name()))
			}
		}
	}
}

func (a *app) sweep(dir string) {
	lock, err := lockDir(dir)
	if err != nil {
		return // in use, or not ours
	}
	defer func() { _ = lock.Close() }() // it was only read
	if err := os.RemoveAll(dir); err != nil {
		a.log.Warn("left credentials directory not removed", "path", dir, "error", err)
		return
	}
	a.log.Info("left credentials directory removed", "path", dir)
}

// lockDir takes the lock of a directory of this user. EWOULDBLOCK: another process holds it.
// fs.ErrNotExist: the directory was removed.
func lockDir(dir string) (*os.File, error) {
	f, err := os.OpenFile(dir, os.O_RDONLY|syscall.O_DIRECTORY|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return nil, err
	}
	if err := takeLock(f, dir); err != nil {
		_ = f.Close() // it was only read
		return nil, err
	}
	return f, nil
}

func takeLock(f *os.File, dir string) error {
	mine, err := f.Stat()
	if err != nil {
		return err
	}
	if owner, ok := mine.Sys().(*syscall.Stat_t); !ok || int(owner.Uid) != os.Geteuid() {
		return os.ErrPermission
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return err
	}
	now, err := os.Lstat(dir)
	if err == nil && !os.SameFile(now, mine) {
		err = os.ErrNotExist
	}
	return err
}
