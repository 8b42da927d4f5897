package atomicfile

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"syscall"

	"github.com/agentkeys/agentkeys/internal/words"
)

// ErrUnfit: a file system cannot keep what is to be private and to last; see UnfitError.
// Another directory is needed.
var ErrUnfit = errors.New("the file system cannot keep secrets")

// UnfitError says what a file system does not do. Is ErrUnfit.
type UnfitError struct {
	Path string // where it was tried
	What string
	Err  error // may be nil
}

func (e *UnfitError) Error() string {
	text := fmt.Sprintf("%s: %v: %s", e.Path, ErrUnfit, e.What)
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

// Is makes errors.Is(err, ErrUnfit) true.
func (e *UnfitError) Is(target error) bool { return target == ErrUnfit }

// Unwrap gives the system's error.
func (e *UnfitError) Unwrap() error { return e.Err }

// Trial is what Try does, and for whom.
type Trial struct {
	Path string // of the directory, for errors
	EUID int    // who tries
	// UID and GID are whose files root makes in the end; else EUID's own.
	UID, GID int
}

// Found is what is good to know of a file system that is fit.
type Found struct {
	SyncsDirs bool // false: the last change may be lost with the power
}

// Try finds out whether the file system of dir can keep secrets: it does there what Write
// and Lock do, in a directory of its own, looks at what became of it, and removes it.
// What a mount promises and what it does are two things, so nothing is read off a name.
// ErrUnfit: it cannot, and never will. Any other error is the disk's of today.
func (t Trial) Try(dir Dir) (Found, error) {
	var random [8]byte
	_, _ = rand.Read(random[:])
	name := tempPrefix + "agentkeys-trial." + hex.EncodeToString(random[:]) + tempSuffix
	if err := dir.Mkdir(name); err != nil {
		return Found{}, t.judge("no directory can be made", err)
	}
	found, err := t.within(dir, name)
	if removed := dir.Remove(name); err == nil && removed != nil && !isNotEmpty(removed) {
		err = t.judge("no directory can be removed", removed)
	}
	return found, err
}

// isNotEmpty: a lock that was open when it was removed goes a moment later (IsSilly).
func isNotEmpty(err error) bool {
	return errors.Is(err, syscall.ENOTEMPTY) || errors.Is(err, fs.ErrExist)
}

func (t Trial) within(parent Dir, name string) (Found, error) {
	dir, err := parent.OpenDir(name)
	if err != nil {
		return Found{}, t.judge("a directory cannot be opened", err)
	}
	defer func() { _ = dir.Close() }() // all in it is removed
	defer t.clear(dir)
	if err := t.private(dir.Stat()); err != nil {
		return Found{}, err
	}
	if t.UID != t.EUID {
		if err := dir.Chown(t.UID, t.GID); err != nil {
			return Found{}, t.judge(fmt.Sprintf("nothing can be given to uid %d", t.UID), err)
		}
	}
	if err := t.replace(dir); err != nil {
		return Found{}, err
	}
	if err := t.lock(dir); err != nil {
		return Found{}, err
	}
	can, err := dir.CanSync()
	return Found{SyncsDirs: can}, t.judge("a directory cannot be synced", err)
}

const (
	trialFile = "file"
	trialLock = words.FileLock
)

func (t Trial) clear(dir Dir) {
	for _, name := range []string{trialFile, trialLock} {
		_ = dir.Remove(name) // the removal of the directory tells
	}
	_ = Clean(dir) // see above
}

// replace writes a file, and another in its place.
func (t Trial) replace(dir Dir) error {
	want := []byte("agentkeys\n")
	for _, text := range [][]byte{[]byte("a file that is replaced, and is longer\n"), want} {
		if err := Write(dir, trialFile, text); err != nil {
			return t.judge("no file can be replaced", err)
		}
	}
	f, err := dir.Open(trialFile)
	if err != nil {
		return t.judge("a file cannot be read", err)
	}
	got, err := io.ReadAll(f)
	info, statErr := f.Stat()
	_ = f.Close() // read only
	switch {
	case err != nil:
		return t.judge("a file cannot be read", err)
	case !bytes.Equal(got, want):
		return t.unfit("a file that was replaced has not the new bytes")
	}
	return t.private(info, statErr)
}

// lock takes a lock that must keep a second holder out, and be free again.
func (t Trial) lock(dir Dir) error {
	const what = "nothing can be locked"
	lock, err := dir.Lock(trialLock)
	if err != nil {
		return t.judge(what, err)
	}
	second, err := dir.Lock(trialLock)
	if err == nil {
		_ = second.Close() // nothing was written
		err = t.unfit("a lock keeps nobody out")
	} else if errors.Is(err, ErrLocked) {
		err = nil
	}
	_ = lock.Close() // nothing was written
	return t.judge(what, err)
}

// private reports what is not as it was asked for.
func (t Trial) private(info Info, err error) error {
	most := fs.FileMode(0o600)
	if info.Mode.IsDir() {
		most = 0o700
	}
	switch {
	case err != nil:
		return t.judge("nothing can be looked at", err)
	case info.Mode.Perm()&^most != 0:
		return t.unfit(fmt.Sprintf("it keeps no modes: %04o was asked for, and became %04o", most, info.Mode.Perm()))
	case info.UID != t.EUID && info.UID != t.UID:
		return t.unfit(fmt.Sprintf("it keeps no owners: what uid %d made belongs to uid %d", t.EUID, info.UID))
	case info.Links > 1 && info.Mode.IsRegular():
		return t.unfit(fmt.Sprintf("it counts no names: a new file has %d", info.Links))
	}
	return nil
}

func (t Trial) unfit(what string) error { return &UnfitError{Path: t.Path, What: what} }

// judge tells what a file system cannot do from what is wrong with it now.
func (t Trial) judge(what string, err error) error {
	if err == nil || errors.Is(err, ErrUnfit) {
		return err
	}
	if t.EUID == 0 && errors.Is(err, syscall.EACCES) {
		what = "root has no rights there (a server's root_squash, or a mount of another user's)"
		return &UnfitError{Path: t.Path, What: what, Err: err}
	}
	for _, cannot := range []error{
		syscall.EINVAL, syscall.EPERM, syscall.ENOTSUP, syscall.EOPNOTSUPP, syscall.ENOSYS, syscall.ENOLCK,
		syscall.EBADF, syscall.EBUSY, syscall.ETXTBSY, syscall.ENOTTY, ErrNotPlain,
	} {
		if errors.Is(err, cannot) {
			return &UnfitError{Path: t.Path, What: what, Err: err}
		}
	}
	return fmt.Errorf("%s: %s: %w", t.Path, what, err)
}
