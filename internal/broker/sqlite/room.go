package sqlite

import (
	"errors"
	"fmt"
	"math"
	"os"

	"golang.org/x/sys/unix"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/agentkeys/agentkeys/internal/broker"
	"github.com/agentkeys/agentkeys/internal/protocol"
)

const (
	leastRoom     = 64 << 10 // bytes; with less free a change may fail
	mountReadOnly = 1        // ST_RDONLY of Linux, MNT_RDONLY of macOS
)

// Room implements broker.Store by asking the file system; it writes nothing.
func (s *Store) Room() error {
	free, err := s.free()
	if err == nil && free < leastRoom {
		return &broker.Unwritable{Reason: protocol.ReadOnlyNoSpace}
	}
	return err
}

// free is how many bytes this user may still write to the database's file system.
func (s *Store) free() (uint64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(s.dir, &st); err != nil {
		return 0, fmt.Errorf("look at the file system: %w", err)
	}
	if st.Flags&mountReadOnly != 0 {
		return 0, &broker.Unwritable{Reason: protocol.ReadOnlyMount}
	}
	if st.Blocks == 0 {
		return math.MaxUint64, nil // a file system that does not count its blocks, as some in FUSE
	}
	blocks := st.Bavail
	if os.Geteuid() == 0 {
		blocks = st.Bfree // this user may use the blocks that are reserved for root
	}
	return blocks * uint64(max(st.Bsize, 1)), nil
}

// unwritable turns an error into broker.Unwritable if it means that nothing can be written;
// other errors stay as they are. On a disk that is mounted read-only SQLite reports only a
// failure, so the file system is asked too.
func (s *Store) unwritable(err error) error {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return err
	}
	u := &broker.Unwritable{Reason: protocol.ReadOnlyFault, Err: err}
	switch code := e.Code(); code & 0xff {
	case sqlite3.SQLITE_FULL:
		u.Reason = protocol.ReadOnlyNoSpace
		return u
	case sqlite3.SQLITE_IOERR:
		if code == sqlite3.SQLITE_IOERR_READ || code == sqlite3.SQLITE_IOERR_SHORT_READ {
			return err
		}
	case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN:
	default:
		return err
	}
	var seen *broker.Unwritable
	switch err := s.tryFile(); {
	case errors.As(s.Room(), &seen):
		u.Reason = seen.Reason
	case errors.Is(err, unix.EROFS):
		u.Reason = protocol.ReadOnlyMount
	case errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EDQUOT):
		u.Reason = protocol.ReadOnlyNoSpace
	}
	return u
}

// tryFile makes a file and removes it. A file system that became read-only because of an error
// reports that nowhere else, and the same is true of a quota.
func (s *Store) tryFile() error {
	f, err := os.CreateTemp(s.dir, ".broker.db-try-*")
	if err != nil {
		return err
	}
	_, err = f.Write(make([]byte, 4096))
	return errors.Join(err, f.Close(), os.Remove(f.Name()))
}
