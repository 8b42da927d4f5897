package datadir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/agentkeys/agentkeys/internal/atomicfile"
)

// InsecureError names the command that mends it. Is ErrInsecure.
type InsecureError struct{ Path, Fix string }

func (e *InsecureError) Error() string { return fmt.Sprintf("%s: %v", e.Path, ErrInsecure) }

// Is makes errors.Is(err, ErrInsecure) true.
func (e *InsecureError) Is(target error) bool { return target == ErrInsecure }

// othersFix is the command for a directory of user uid. What root made in a directory of ours,
// in a program that ran with sudo, is to be given to us; a directory of another user is not.
func othersFix(path string, uid int) string {
	var above unix.Stat_t
	euid := os.Geteuid()
	if uid == 0 && unix.Stat(filepath.Dir(path), &above) == nil && int(above.Uid) == euid {
		return fmt.Sprintf("sudo chown -R %s %s", userName(euid, "%s:", "%d:"+strconv.Itoa(os.Getegid())), path)
	}
	return fmt.Sprintf("run it as the directory's owner: sudo -u %s agentkeys-broker ...", userName(uid, "%s", "'#%d'"))
}

// userName is the name of a user in the form named, or the number in the form numbered if there
// is no name.
func userName(uid int, named, numbered string) string {
	if u, err := user.LookupId(strconv.Itoa(uid)); err == nil {
		return fmt.Sprintf(named, u.Username)
	}
	return fmt.Sprintf(numbered, uid)
}

// Try finds out by a trial whether the file system of the directory can keep secrets. If the
// directory does not exist, it tries the file system where it would be made. Nothing is
// changed. atomicfile.ErrUnfit: it cannot.
func Try(path string) error {
	dir, err := atomicfile.System{}.OpenDir(path)
	if parent := filepath.Dir(path); errors.Is(err, fs.ErrNotExist) && parent != path {
		return Try(parent)
	}
	if err != nil {
		return fmt.Errorf("open data directory: %w", err)
	}
	defer func() { _ = dir.Close() }() // everything that was written is removed
	trial := atomicfile.Trial{Path: path, EUID: os.Geteuid(), UID: os.Geteuid()}
	if _, err := trial.Try(dir); err != nil {
		return fmt.Errorf("data directory: %w", err)
	}
	return nil
}
