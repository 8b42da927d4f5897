package slotdir

import (
	"errors"
	"io/fs"
	"path/filepath"
	"syscall"

	"github.com/agentkeys/agentkeys/internal/atomicfile"
)

// Try finds out by a trial whether the home can keep sessions (ADR 22). A caller
// tries before anything is committed elsewhere for a session that would be kept here: an
// approval, an account. A home that does not exist is tried where it would be made, and is
// not made. atomicfile.ErrUnfit: its file system cannot; another home is needed. Nothing is
// changed.
func (f Files) Try() (atomicfile.Found, error) {
	h := f.home
	path := h.cfg.Home
	for {
		dir, err := h.cfg.FS.OpenDir(path)
		if parent := filepath.Dir(path); errors.Is(err, fs.ErrNotExist) && parent != path {
			path = parent
			continue
		}
		if err != nil {
			return atomicfile.Found{}, h.openError(path, err)
		}
		found, err := h.tryIn(path, dir)
		_ = dir.Close() // all that was written is removed
		return found, err
	}
}

func (h *Home) tryIn(path string, dir atomicfile.Dir) (atomicfile.Found, error) {
	trial := atomicfile.Trial{Path: path, EUID: h.euid, UID: h.euid}
	if h.euid == 0 {
		info, err := dir.Stat()
		if err != nil {
			return atomicfile.Found{}, h.openError(path, err)
		}
		trial.UID, trial.GID = info.UID, info.GID
		if h.cfg.SlotUser != nil {
			trial.UID, trial.GID = h.cfg.SlotUser.UID, h.cfg.SlotUser.GID
		}
	}
	found, err := trial.Try(dir)
	if errors.Is(err, syscall.EACCES) && h.euid != 0 {
		err = h.openError(path, err)
	}
	return found, err
}
