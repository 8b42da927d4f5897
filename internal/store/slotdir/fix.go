package slotdir

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/agentkeys/agentkeys/internal/atomicfile"
	"github.com/agentkeys/agentkeys/internal/display"
)

// openError explains err, which the system gave for path: the home, or the directory in
// which it would be made.
func (h *Home) openError(path string, err error) error {
	if !errors.Is(err, syscall.EACCES) {
		return h.pathError(path, atomicfile.Info{}, err)
	}
	if h.euid == 0 {
		return &atomicfile.UnfitError{Path: path, What: "root has no rights there (a server's root_squash, or a mount of another user's)", Err: err}
	}
	if left := h.leftByRoot(path); left != nil {
		return left
	}
	return h.pathError(path, atomicfile.Info{}, err)
}

// leftByRoot is the error of a directory of root's inside a directory of this user's: a
// program that ran with sudo made it. nil for any other directory; one of root's in a
// directory of root's belongs there.
func (h *Home) leftByRoot(path string) error {
	parent, err := h.cfg.FS.OpenDir(filepath.Dir(path))
	if err != nil {
		return nil
	}
	defer func() { _ = parent.Close() }() // read only
	above, err := parent.Stat()
	if err != nil || above.UID != h.euid {
		return nil
	}
	info, err := parent.Lstat(filepath.Base(path))
	if err != nil || info.UID != 0 || h.euid == 0 {
		return nil
	}
	return &InsecureError{
		Path: path, What: fmt.Sprintf("belongs to root, must be uid %d: a program that ran with sudo made it", h.euid),
		Fix: h.chownToSelf(path),
	}
}

// chownToSelf is the command that gives path, and everything in it, to this user.
func (h *Home) chownToSelf(path string) string {
	owner := fmt.Sprintf("%d:%d", h.euid, os.Getegid())
	if u, err := user.LookupId(strconv.Itoa(h.euid)); err == nil {
		owner = u.Username + ":"
	}
	return "sudo chown -R " + owner + " " + display.Word(path)
}

// asOwner gives a command that root is to type the rights of the directory's owner, and no
// others: between the check and the command the owner may put a link to any file of the
// system in its way.
func (h *Home) asOwner(dir atomicfile.Info, command string) string {
	if !h.foreign(dir) {
		return command
	}
	if strings.Contains(command, "&&") {
		command = "sh -c " + display.Word(command)
	}
	return fmt.Sprintf("setpriv --reuid=%d --regid=%d --clear-groups %s", dir.UID, dir.GID, command)
}

func moveAway(path string) string {
	return "mv " + display.Word(path) + " " + display.Word(path+".aside")
}

func replaceByCopy(path string) string {
	own := display.Word(path + ".own")
	return "cp -p " + display.Word(path) + " " + own + " && mv " + own + " " + display.Word(path)
}
