package slotdir

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/agentkeys/agentkeys/internal/atomicfile"
	"github.com/agentkeys/agentkeys/internal/display"
	"github.com/agentkeys/agentkeys/internal/session"
)

// checkHome refuses a home in which another user could exchange a slot's directory, and so
// hide a session or bring back an old one. A sticky directory such as /tmp is accepted:
// there only the owner of an entry may exchange it.
func checkHome(path string, info atomicfile.Info) error {
	if !info.Mode.IsDir() {
		return &InsecureError{Path: path, What: "is not a directory", Fix: moveAway(path)}
	}
	if info.Mode.Perm()&0o022 != 0 && info.Mode&fs.ModeSticky == 0 {
		return &InsecureError{
			Path: path, What: fmt.Sprintf("mode %04o, group or others may write", info.Mode.Perm()),
			Fix: "chmod go-w " + display.Word(path),
		}
	}
	return nil
}

// checkDir refuses a slot that group or others may enter, or that belongs to another user.
func (h *Home) checkDir(id session.ID, info, home atomicfile.Info) error {
	path := h.dir(id)
	if info.Mode.Perm()&0o077 != 0 {
		return &InsecureError{
			Path: path, What: fmt.Sprintf("mode %04o, must be 0700", info.Mode.Perm()),
			Fix: h.asOwner(home, "chmod 700 "+display.Word(path)),
		}
	}
	if h.mayOwn(id, info.UID, home) {
		return nil
	}
	owner := h.euid
	if h.euid == 0 && h.cfg.SlotUser != nil && !id.IsPending() {
		owner = h.cfg.SlotUser.UID
	}
	fix := fmt.Sprintf("chown -R %d %s", owner, display.Word(path))
	if h.euid != 0 {
		fix = h.chownToSelf(path)
	}
	return &InsecureError{Path: path, What: fmt.Sprintf("belongs to uid %d, must be uid %d", info.UID, owner), Fix: fix}
}

// mayOwn reports whether a slot may belong to uid. A user works on slots of their own.
// Root works on its own, on those of SlotUser, and in a user's home on that user's. In a
// home that only root can change, and where slots have users (SlotUser), root itself gave
// each slot its owner, so every owner is accepted. A pending slot in such a home must be
// root's: otherwise a user could put keys of their own choice into a pairing.
func (h *Home) mayOwn(id session.ID, uid int, home atomicfile.Info) bool {
	if uid == h.euid {
		return true
	}
	if h.euid != 0 || h.cfg.SlotUser != nil && id.IsPending() {
		return false
	}
	if h.cfg.SlotUser == nil {
		return uid == home.UID
	}
	onlyRootChangesIt := home.UID == 0 && home.Mode.Perm()&0o022 == 0
	return uid == h.cfg.SlotUser.UID || uid == home.UID || onlyRootChangesIt
}

// checkFile refuses a file of a slot unless it is regular, belongs to the directory's owner,
// has mode 0600 or stricter, and one name. A file that is open may have no name left: a
// save has replaced it since, and its bytes are those of the moment at which it was opened.
func (h *Home) checkFile(path string, info, dir atomicfile.Info) error {
	what, fix := "", ""
	switch {
	case !info.Mode.IsRegular():
		return h.wrongType(path, dir)
	case info.UID != dir.UID:
		what = fmt.Sprintf("belongs to uid %d, must be uid %d", info.UID, dir.UID)
		fix = fmt.Sprintf("chown %d:%d %s", dir.UID, dir.GID, display.Word(path))
		if h.euid != 0 {
			fix = h.chownToSelf(path)
		}
		if h.foreign(dir) {
			// The directory's owner may have linked any file of the system to this name, and
			// a chown by root would give that file away.
			fix = moveAway(path)
		}
	case info.Mode&^0o600 != 0:
		what = fmt.Sprintf("mode %04o, must be 0600", info.Mode.Perm())
		fix = "chmod 600 " + display.Word(path)
	case info.Links > 1:
		what = fmt.Sprintf("has %d names (hard links), must have one", info.Links)
		fix = replaceByCopy(path)
	default:
		return nil
	}
	return &InsecureError{Path: path, What: what, Fix: h.asOwner(dir, fix)}
}

// wrongType is the error of an entry of dir that is a link, a FIFO or the like. The zero
// Info stands for a directory of this user.
func (h *Home) wrongType(path string, dir atomicfile.Info) *InsecureError {
	return &InsecureError{
		Path: path, What: "is a link or of another kind than it must be", Fix: h.asOwner(dir, moveAway(path)),
	}
}

// foreign reports whether root works in a directory that another user may change.
func (h *Home) foreign(dir atomicfile.Info) bool { return h.euid == 0 && dir.UID != 0 }

// pathError translates what the file system port says of an entry of dir.
func (h *Home) pathError(path string, dir atomicfile.Info, err error) error {
	if errors.Is(err, atomicfile.ErrWrongType) {
		return h.wrongType(path, dir)
	}
	var at *fs.PathError
	if errors.As(err, &at) { // it names the path again
		err = at.Err
	}
	return fmt.Errorf("open %s: %w", path, err)
}
