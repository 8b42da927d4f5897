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

// ErrUnfit: the file system cannot keep files private or durable; see UnfitError. The user has
// to choose another directory.
var ErrUnfit = errors.New("the file system cannot keep secrets")

// ErrNoDir: where a directory must be there is something else. Another path is needed, or the
// disk that a link points to.
var ErrNoDir = errors.New("not a directory")

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

// Trial is a test of a file system.
type Trial struct {
	Path string // of the directory, for errors
	EUID int    // the effective user of the caller
	// UID and GID are the user to whom root gives its files; else EUID's own.
	UID, GID int
}

// Found says what a fit file system can do.
type Found struct {
	SyncsDirs bool // false: a power cut may undo the last change
}

// Try finds out whether the file system of dir can keep secrets. It does there what Write and
// Lock do, in a directory of its own, checks the result, and removes the directory. It does
// not look at the type of the file system, because mount options and servers change what a type
// can do. ErrUnfit: it cannot, and never will. Any other error is a temporary fault of the disk.
func (tr Trial) Try(dir Dir) (Found, error) {
	var random [8]byte
	_, _ = rand.Read(random[:])
	name := tempPrefix + "agentkeys-trial." + hex.EncodeToString(random[:]) + tempSuffix
	if err := dir.Mkdir(name); err != nil {
		return Found{}, tr.classify("no directory can be made", err)
	}
	found, err := tr.within(dir, name)
	if removed := dir.Remove(name); err == nil && removed != nil && !isNotEmpty(removed) {
		err = tr.classify("no directory can be removed", removed)
	}
	return found, err
}

// isNotEmpty reports whether err says that a directory is not empty: a lock file that was open when it was
// removed vanishes a moment later (IsSilly).
func isNotEmpty(err error) bool {
	return errors.Is(err, syscall.ENOTEMPTY) || errors.Is(err, fs.ErrExist)
}

func (tr Trial) within(parent Dir, name string) (Found, error) {
	dir, err := parent.OpenDir(name)
	if err != nil {
		return Found{}, tr.classify("a directory cannot be opened", err)
	}
	defer func() { _ = dir.Close() }() // everything in it is removed
	defer tr.clear(dir)
	if err := tr.private(dir.Stat()); err != nil {
		return Found{}, err
	}
	if tr.UID != tr.EUID {
		if err := dir.Chown(tr.UID, tr.GID); err != nil {
			return Found{}, tr.classify(fmt.Sprintf("no file can be given to uid %d", tr.UID), err)
		}
	}
	if err := tr.replace(dir); err != nil {
		return Found{}, err
	}
	if err := tr.lock(dir); err != nil {
		return Found{}, err
	}
	can, err := dir.CanSync()
	return Found{SyncsDirs: can}, tr.classify("a directory cannot be synced", err)
}

const (
	trialFile = "file"
	trialLock = words.FileLock
)

func (tr Trial) clear(dir Dir) {
	for _, name := range []string{trialFile, trialLock} {
		_ = dir.Remove(name) // removing the directory reports what stays
	}
	_ = Clean(dir) // see above
}

// replace writes a file, and replaces it by another.
func (tr Trial) replace(dir Dir) error {
	want := []byte("agentkeys\n")
	for _, text := range [][]byte{[]byte("a file that is replaced, and is longer\n"), want} {
		if err := Write(dir, trialFile, text); err != nil {
			return tr.classify("no file can be replaced", err)
		}
	}
	f, err := dir.Open(trialFile)
	if err != nil {
		return tr.classify("a file cannot be read", err)
	}
	got, err := io.ReadAll(f)
	info, statErr := f.Stat()
	_ = f.Close() // it was only read
	switch {
	case err != nil:
		return tr.classify("a file cannot be read", err)
	case !bytes.Equal(got, want):
		return tr.unfit("a file that was replaced does not have the new content")
	}
	return tr.private(info, statErr)
}

// lock takes a lock that must exclude a second holder, and must be free again afterwards.
func (tr Trial) lock(dir Dir) error {
	const what = "nothing can be locked"
	lock, err := dir.Lock(trialLock)
	if err != nil {
		return tr.classify(what, err)
	}
	second, err := dir.Lock(trialLock)
	if err == nil {
		_ = second.Close() // nothing was written
		err = tr.unfit("a lock excludes no other process")
	} else if errors.Is(err, ErrLocked) {
		err = nil
	}
	_ = lock.Close() // nothing was written
	return tr.classify(what, err)
}

// private reports in what a file differs from what was asked for.
func (tr Trial) private(info Info, err error) error {
	most := fs.FileMode(0o600)
	if info.Mode.IsDir() {
		most = 0o700
	}
	switch {
	case err != nil:
		return tr.classify("no entry can be examined", err)
	case info.Mode.Perm()&^most != 0:
		return tr.unfit(fmt.Sprintf("it does not keep modes: %04o was asked for, and became %04o", most, info.Mode.Perm()))
	case info.UID != tr.EUID && info.UID != tr.UID:
		return tr.unfit(fmt.Sprintf("it does not keep owners: what uid %d made belongs to uid %d", tr.EUID, info.UID))
	case info.Links > 1 && info.Mode.IsRegular():
		return tr.unfit(fmt.Sprintf("it does not count links: a new file has %d", info.Links))
	}
	return nil
}

func (tr Trial) unfit(what string) error { return &UnfitError{Path: tr.Path, What: what} }

// classify distinguishes what a file system cannot do from a fault that is temporary.
func (tr Trial) classify(what string, err error) error {
	if err == nil || errors.Is(err, ErrUnfit) {
		return err
	}
	if tr.EUID == 0 && errors.Is(err, syscall.EACCES) {
		what = "root has no rights there (a server's root_squash, or a mount of another user's)"
		return &UnfitError{Path: tr.Path, What: what, Err: bare(err)}
	}
	for _, cannot := range []error{
		syscall.EINVAL, syscall.EPERM, syscall.ENOTSUP, syscall.EOPNOTSUPP, syscall.ENOSYS, syscall.ENOLCK,
		syscall.EBADF, syscall.EBUSY, syscall.ETXTBSY, syscall.ENOTTY, syscall.ENOENT, ErrWrongType,
	} {
		if errors.Is(err, cannot) {
			return &UnfitError{Path: tr.Path, What: what, Err: bare(err)}
		}
	}
	return fmt.Errorf("%s: %s: %w", tr.Path, what, bare(err))
}

// bare is err without the names of the trial's files, which say nothing to a person.
func bare(err error) error {
	var number syscall.Errno
	if errors.As(err, &number) {
		return number
	}
	return err
}
