package sqlite

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

const (
	reserveSize = 1 << 20             // bytes: some two hundred pages, and a revocation changes about twenty
	reserveRoom = 16 * reserveSize    // that must be free, or the reserve itself would be what fills a small disk
	reserveName = "broker.db-reserve" // beside the database
)

// Reserve implements broker.Store: a file of zeros, which is room on the disk that only
// Release gives away. Where it cannot be made there is none.
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
	_, err = f.Write(make([]byte, reserveSize)) // written, since a file with holes takes no room
	if err = errors.Join(err, f.Close()); err != nil {
		s.Release()
	}
}

// Release implements broker.Store.
func (s *Store) Release() bool { return os.Remove(s.reserve()) == nil }

func (s *Store) reserve() string { return filepath.Join(s.dir, reserveName) }
