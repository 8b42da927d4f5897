package store

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/agentkeys/agentkeys/internal/atomicfile"
)

// homeError explains what the system says of path, which is the home or where the home
// would be made.
func (s *Store) homeError(path string, err error) error {
	if !errors.Is(err, syscall.EACCES) {
		return s.pathError(path, atomicfile.Info{}, err)
	}
	if s.euid == 0 {
		return &atomicfile.UnfitError{Path: path, What: "root has no rights there (a server's root_squash, or a mount of another user's)", Err: err}
	}
	if left := s.leftByRoot(path); left != nil {
		return left
	}
	return s.pathError(path, atomicfile.Info{}, err)
}

// leftByRoot reports a directory of root's in a directory of this user's: a program that
// ran with sudo made it. Any other directory of root's is root's on purpose.
func (s *Store) leftByRoot(path string) error {
	parent, err := s.cfg.FS.OpenDir(filepath.Dir(path))
	if err != nil {
		return nil
	}
	defer func() { _ = parent.Close() }() // read only
	above, err := parent.Stat()
	if err != nil || above.UID != s.euid {
		return nil
	}
	info, err := parent.Lstat(filepath.Base(path))
	if err != nil || info.UID != 0 || s.euid == 0 {
		return nil
	}
	return &InsecureError{
		Path: path, What: fmt.Sprintf("belongs to root, must be uid %d: a program that ran with sudo made it", s.euid),
		Fix: s.takeOver(path),
	}
}

// takeOver is the command that makes path, and all in it, this user's own.
func (s *Store) takeOver(path string) string {
	owner := fmt.Sprintf("%d:%d", s.euid, os.Getegid())
	if u, err := user.LookupId(strconv.Itoa(s.euid)); err == nil {
		owner = u.Username + ":"
	}
	return "sudo chown -R " + owner + " " + quote(path)
}
