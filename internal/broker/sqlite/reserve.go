package sqlite

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

const (
	reserveSize = 1 << 20             // bytes: about two hundred pages; a revocation changes about twenty
	reserveRoom = 16 * reserveSize    // must be free, so that the reserve itself does not fill a small disk
	reserveName = "broker.db-reserve" // in the directory of the database
)

// Reserve implements broker.Store with a file of zeros. It occupies space on the disk that
// Release frees. Where it cannot be made there is no reserve.
func (s *Store) Reserve() {
	if _, err := os.Lstat(s.reserve()); !errors.Is(err, fs.ErrNotExist) {
		return
	}
	if free, err := s.free(); err != nil || free < reserveRoom {
		return
	}
	f, err := os.OpenFile(s.reserve(), os.O_CREATE|os.O_EXCL|os.O_WRONLY|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return
	}
	_, err = f.Write(make([]byte, reserveSize)) // written, because a sparse file occupies no space
	if err = errors.Join(err, f.Close()); err != nil {
		s.Release()
	}
}

// Release implements broker.Store.
func (s *Store) Release() bool { return os.Remove(s.reserve()) == nil }

func (s *Store) reserve() string { return filepath.Join(s.dir, reserveName) }
