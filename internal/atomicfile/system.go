package atomicfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
)

// System is the machine's file system. Everything below the directory that OpenDir opened is
// accessed through os.Root.
type System struct{}

// OpenDir opens path. Its parents may be links, which the administrator has made. Errors: those
// of CheckDir.
func (System) OpenDir(path string) (Dir, error) {
	if err := CheckDir(path); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, err
	}
	return systemDir{root}, nil
}

// CheckDir says whether there is a directory at path, without opening it: an open would wait for
// the writer of a FIFO. ErrNoDir: something else is there, or a link without a target.
// fs.ErrNotExist: nothing is.
func CheckDir(path string) error {
	if err := whatIs(path); err != nil {
		return &fs.PathError{Op: "open", Path: path, Err: err}
	}
	return nil
}

func whatIs(path string) error {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		if _, lost := os.Lstat(path); lost == nil {
			return fmt.Errorf("%w: a link whose target does not exist", ErrNoDir)
		}
		return fs.ErrNotExist
	}
	var at *fs.PathError
	switch {
	case errors.Is(err, syscall.ENOTDIR):
		return fmt.Errorf("%w: a directory above it is a file", ErrNoDir)
	case errors.Is(err, syscall.ELOOP):
		return fmt.Errorf("%w: %w", ErrNoDir, syscall.ELOOP)
	case errors.As(err, &at):
		return at.Err
	case err == nil && !info.IsDir():
		return ErrNoDir
	}
	return err
}

// MakeDir syncs the parent of every directory that it makes, and gives the directory to the
// parent's owner. For a directory that exists the parent is synced too, if that is allowed: the
// process that made it may have ended before it synced.
func (s System) MakeDir(path string, perm fs.FileMode) error {
	parent := filepath.Dir(path)
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		_ = syncDir(os.Open(parent))
		return err
	}
	if parent == path {
		return fs.ErrNotExist
	}
	if err := s.MakeDir(parent, perm); err != nil {
		return err
	}
	if err := os.Mkdir(path, perm); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if err := s.inheritOwner(parent, filepath.Base(path)); err != nil {
		return err
	}
	return syncDir(os.Open(parent))
}

// inheritOwner gives a directory that root just made in another user's directory to that user.
func (s System) inheritOwner(parent, name string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	dir, err := s.OpenDir(parent)
	if err != nil {
		return err
	}
	defer func() { _ = dir.Close() }() // the caller syncs it
	owner, err := dir.Stat()
	if err != nil || owner.UID == 0 {
		return err
	}
	made, err := dir.OpenDir(name)
	if err != nil {
		return err
	}
	defer func() { _ = made.Close() }() // as above
	if info, err := made.Stat(); err != nil || info.UID != 0 {
		return err
	}
	// The owner may have replaced it by another directory of root's in the meantime.
	if names, err := made.Names(); err != nil || len(names) > 0 {
		return err
	}
	return made.Chown(owner.UID, owner.GID)
}

func syncDir(dir *os.File, err error) error {
	if err != nil {
		return err
	}
	return errors.Join(SyncDir(dir), dir.Close())
}

// SyncDir makes the changes of a directory's entries durable, as far as its file system can. A
// file system that has no such operation (a virtual machine's shared folder, CIFS of old
// kernels) is no error, because otherwise the programs could not be used there at all. Every
// other error is one, above all EIO.
func SyncDir(dir *os.File) error {
	if err := dir.Sync(); !noDirSync(err) {
		return err
	}
	return nil
}

// noDirSync reports whether err means that the file system cannot sync directories.
func noDirSync(err error) bool {
	return errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTSUP) ||
		errors.Is(err, syscall.EOPNOTSUPP) || errors.Is(err, syscall.ENOSYS)
}

type systemDir struct{ root *os.Root }

func (d systemDir) Stat() (Info, error)             { return info(d.root.Stat(".")) }
func (d systemDir) Lstat(name string) (Info, error) { return info(d.root.Lstat(name)) }
func (d systemDir) Mkdir(name string) error         { return d.root.Mkdir(name, 0o700) }
func (d systemDir) Rename(from, to string) error    { return d.root.Rename(from, to) }
func (d systemDir) Remove(name string) error        { return d.root.Remove(name) }
func (d systemDir) Sync() error                     { return syncDir(d.root.Open(".")) }
func (d systemDir) Close() error                    { return d.root.Close() }

func (d systemDir) CanSync() (bool, error) {
	dir, err := d.root.Open(".")
	if err != nil {
		return false, err
	}
	err = dir.Sync()
	_ = dir.Close() // nothing was written to it
	if noDirSync(err) {
		return false, nil
	}
	return err == nil, err
}

func (d systemDir) Open(name string) (File, error) {
	f, err := d.openRegular(name, os.O_RDONLY)
	if err != nil {
		return nil, err
	}
	return systemFile{f}, nil
}

// openTries is how often an open starts again because a writer replaced the file between the
// check and the open. Each time is a save, and there are not a hundred saves between two system
// calls.
const openTries = 100

// errReplaced: the entry was changed while it was opened.
var errReplaced = errors.New("changed while it was opened")

// openRegular opens name if it is a regular file. A writer may replace it by another regular
// file at any time; then it starts again.
func (d systemDir) openRegular(name string, flag int) (f *os.File, err error) {
	for range openTries {
		if f, err = d.tryOpenRegular(name, flag); !errors.Is(err, errReplaced) {
			return f, err
		}
	}
	return nil, fmt.Errorf("%s: %w: %w", name, err, ErrWrongType)
}

// tryOpenRegular opens only what Lstat says is a regular file, and checks it again through the
// handle, because the entry may have changed in between.
func (d systemDir) tryOpenRegular(name string, flag int) (*os.File, error) {
	before, err := d.root.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !before.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: %w", name, ErrWrongType)
	}
	f, err := d.root.OpenFile(name, flag|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	after, err := f.Stat()
	if err == nil && !os.SameFile(before, after) {
		err = errReplaced
	}
	if err != nil {
		_ = f.Close() // it was only read
		return nil, err
	}
	return f, nil
}

func (d systemDir) Create(name string) (File, error) {
	f, err := d.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	return systemFile{f}, nil
}

func (d systemDir) OpenDir(name string) (Dir, error) {
	before, err := d.root.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !before.IsDir() {
		return nil, fmt.Errorf("%s: %w", name, ErrWrongType)
	}
	root, err := d.root.OpenRoot(name)
	if err != nil {
		return nil, err
	}
	after, err := root.Stat(".")
	if err == nil && !os.SameFile(before, after) {
		err = fmt.Errorf("%s: changed while it was opened: %w", name, ErrWrongType)
	}
	if err != nil {
		_ = root.Close() // nothing was written to it
		return nil, err
	}
	return systemDir{root}, nil
}

func (d systemDir) Names() ([]string, error) {
	dir, err := d.root.Open(".")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	names, err := dir.Readdirnames(-1)
	if errors.Is(err, fs.ErrNotExist) { // Linux reports this for a directory that was removed
		err = nil
	}
	slices.Sort(names)
	return names, errors.Join(err, dir.Close())
}

func (d systemDir) Chown(uid, gid int) error {
	dir, err := d.root.Open(".")
	if err != nil {
		return err
	}
	return errors.Join(dir.Chown(uid, gid), dir.Close())
}

type systemFile struct{ *os.File }

func (f systemFile) Stat() (Info, error) { return info(f.File.Stat()) }

func info(fi fs.FileInfo, err error) (Info, error) {
	if err != nil {
		return Info{}, err
	}
	i := Info{Mode: fi.Mode(), Size: fi.Size(), ModTime: fi.ModTime()}
	if st, ok := fi.Sys().(*syscall.Stat_t); ok {
		i.UID, i.GID, i.Links = int(st.Uid), int(st.Gid), uint64(st.Nlink)
	}
	return i, nil
}
