package atomicfile

import (
	"errors"
	"io"
	"io/fs"
	"time"
)

var (
	// ErrLocked: another process or goroutine holds the lock. Try again, or give up.
	ErrLocked = errors.New("locked by another holder")
	// ErrWrongType: the name is a link, FIFO, socket or device, or a file in place of a directory
	// or the reverse. Nothing was opened.
	ErrWrongType = errors.New("not a regular file or directory")
)

// FS opens directories by path. System is the real one; tests use one that simulates crashes
// and power cuts.
type FS interface {
	// OpenDir opens an existing directory; fs.ErrNotExist if there is none.
	OpenDir(path string) (Dir, error)
	// MakeDir makes path and its missing parents, durably, with mode perm. It is no error if
	// path exists.
	MakeDir(path string, perm fs.FileMode) error
}

// Dir is an open directory. A name is one path element; no operation follows a
// link in it.
type Dir interface {
	// Stat describes the directory itself.
	Stat() (Info, error)
	// Lstat describes the entry name; fs.ErrNotExist if there is none.
	Lstat(name string) (Info, error)
	// Open opens a regular file for reading and never blocks, not even on a FIFO;
	// ErrWrongType for anything else, fs.ErrNotExist if there is none.
	Open(name string) (File, error)
	// Create makes a file that did not exist, with mode 0600, for writing.
	Create(name string) (File, error)
	// Mkdir makes a directory with mode 0700.
	Mkdir(name string) error
	// OpenDir opens a directory inside this one; ErrWrongType for anything else.
	OpenDir(name string) (Dir, error)
	Rename(from, to string) error
	// Remove removes a file or an empty directory.
	Remove(name string) error
	// Names lists the entries, sorted; none if the directory has been removed.
	Names() ([]string, error)
	Chown(uid, gid int) error
	// Sync makes all earlier changes of entries durable, if CanSync.
	Sync() error
	// CanSync reports whether the file system can sync a directory.
	CanSync() (bool, error)
	// Lock takes the exclusive lock of the file name, which it makes if needed. It does not
	// wait: ErrLocked. The lock ends with Close, or with the process.
	Lock(name string) (io.Closer, error)
	Close() error
}

// File is an open regular file.
type File interface {
	io.ReadWriteCloser
	Stat() (Info, error)
	Chown(uid, gid int) error
	Sync() error
}

// Info has what the strict checks need.
type Info struct {
	Mode     fs.FileMode
	UID, GID int
	Links    uint64
	Size     int64
	ModTime  time.Time
}
