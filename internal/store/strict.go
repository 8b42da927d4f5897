package store

import (
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"strings"

	"github.com/agentkeys/agentkeys/internal/atomicfile"
	"github.com/agentkeys/agentkeys/internal/session"
)

var errTooLong = errors.New("larger than allowed")

var plainPath = regexp.MustCompile(`\A[A-Za-z0-9/._@%+=:,-]+\z`)

// checkHome: nobody else may exchange the slots of a home.
func checkHome(path string, info atomicfile.Info) error {
	if !info.Mode.IsDir() {
		return &InsecureError{Path: path, What: "is not a directory", Fix: moveAway(path)}
	}
	if info.Mode.Perm()&0o022 != 0 && info.Mode&fs.ModeSticky == 0 {
		return &InsecureError{
			Path: path, What: fmt.Sprintf("mode %04o, group or others may write", info.Mode.Perm()),
			Fix: "chmod go-w " + quote(path),
		}
	}
	return nil
}

// checkDir: a slot is its user's alone.
func (s *Store) checkDir(id session.ID, info, home atomicfile.Info) error {
	path := s.Dir(id)
	if info.Mode.Perm()&0o077 != 0 {
		return &InsecureError{
			Path: path, What: fmt.Sprintf("mode %04o, must be 0700", info.Mode.Perm()),
			Fix: s.asOwner(home, "chmod 700 "+quote(path)),
		}
	}
	if s.mayOwn(id, info.UID, home) {
		return nil
	}
	owner := s.euid
	if s.euid == 0 && s.cfg.SlotUser != nil && !id.IsPending() {
		owner = s.cfg.SlotUser.UID
	}
	fix := fmt.Sprintf("chown -R %d %s", owner, quote(path))
	if s.euid != 0 {
		fix = s.takeOver(path)
	}
	return &InsecureError{Path: path, What: fmt.Sprintf("belongs to uid %d, must be uid %d", info.UID, owner), Fix: fix}
}

// mayOwn: each user works on slots of his own. Root works on its own, on those of
// SlotUser, and on a user's in that user's home. In a system home that only root
// can change, where SlotUser says that slots have users, root put every owner there;
// but a pending slot there is root's, so that nobody plants keys in a pairing.
func (s *Store) mayOwn(id session.ID, uid int, home atomicfile.Info) bool {
	if uid == s.euid {
		return true
	}
	if s.euid != 0 || s.cfg.SlotUser != nil && id.IsPending() {
		return false
	}
	if s.cfg.SlotUser == nil {
		return uid == home.UID
	}
	rootsAlone := home.UID == 0 && home.Mode.Perm()&0o022 == 0
	return uid == s.cfg.SlotUser.UID || uid == home.UID || rootsAlone
}

// checkFile holds for every file in a slot: a plain file of the directory's owner,
// 0600 or stricter, under one name. An open file may have none: then a save has
// replaced it since, and it is what was there when it was opened.
func (s *Store) checkFile(path string, info, dir atomicfile.Info) error {
	what, fix := "", ""
	switch {
	case !info.Mode.IsRegular():
		return s.notPlain(path, dir)
	case info.UID != dir.UID:
		what = fmt.Sprintf("belongs to uid %d, must be uid %d", info.UID, dir.UID)
		fix = fmt.Sprintf("chown %d:%d %s", dir.UID, dir.GID, quote(path))
		if s.euid != 0 {
			fix = s.takeOver(path)
		}
		if s.foreign(dir) { // whose file it is cannot be told: it may be a second name of any
			fix = moveAway(path)
		}
	case info.Mode&^0o600 != 0:
		what = fmt.Sprintf("mode %04o, must be 0600", info.Mode.Perm())
		fix = "chmod 600 " + quote(path)
	case info.Links > 1:
		what = fmt.Sprintf("has %d names (hard links), must have one", info.Links)
		fix = replaceByCopy(path)
	default:
		return nil
	}
	return &InsecureError{Path: path, What: what, Fix: s.asOwner(dir, fix)}
}

// notPlain names what lies in place of a file in dir; the zero Info: in no directory
// of another user.
func (s *Store) notPlain(path string, dir atomicfile.Info) *InsecureError {
	return &InsecureError{
		Path: path, What: "is a link or of another kind than it must be", Fix: s.asOwner(dir, moveAway(path)),
	}
}

// foreign reports whether root works in a directory that another user may change.
func (s *Store) foreign(dir atomicfile.Info) bool { return s.euid == 0 && dir.UID != 0 }

// asOwner lets root mend what is in another user's directory with that user's rights
// alone: he may put a link in the way between the check and the command.
func (s *Store) asOwner(dir atomicfile.Info, command string) string {
	if !s.foreign(dir) {
		return command
	}
	if strings.Contains(command, "&&") {
		command = "sh -c " + quote(command)
	}
	return fmt.Sprintf("setpriv --reuid=%d --regid=%d --clear-groups %s", dir.UID, dir.GID, command)
}

// pathError translates what the file system port says of an entry of dir.
func (s *Store) pathError(path string, dir atomicfile.Info, err error) error {
	if errors.Is(err, atomicfile.ErrNotPlain) {
		return s.notPlain(path, dir)
	}
	return fmt.Errorf("open %s: %w", path, err)
}

func moveAway(path string) string { return "mv " + quote(path) + " " + quote(path+".aside") }

func replaceByCopy(path string) string {
	own := quote(path + ".own")
	return "cp -p " + quote(path) + " " + own + " && mv " + own + " " + quote(path)
}

// quote makes a path one word of a shell.
func quote(path string) string {
	if plainPath.MatchString(path) {
		return path
	}
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}
