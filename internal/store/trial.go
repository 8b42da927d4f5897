package store

import (
	"errors"
	"io/fs"
	"path/filepath"
	"syscall"

	"github.com/agentkeys/agentkeys/internal/atomicfile"
)

// Try finds out by a trial whether the home can keep sessions. It comes before anything
// is committed elsewhere for a session that would be kept here: an approval, an account.
// A home that is not there yet is tried where it would be made. atomicfile.ErrUnfit: its
// file system cannot; another home is needed. Nothing is changed.
func (s *Store) Try() (atomicfile.Found, error) {
	path := s.cfg.Home
	for {
		dir, err := s.cfg.FS.OpenDir(path)
		if parent := filepath.Dir(path); errors.Is(err, fs.ErrNotExist) && parent != path {
			path = parent
			continue
		}
		if err != nil {
			return atomicfile.Found{}, s.homeError(path, err)
		}
		found, err := s.tryIn(path, dir)
		_ = dir.Close() // all that was written is removed
		return found, err
	}
}

func (s *Store) tryIn(path string, dir atomicfile.Dir) (atomicfile.Found, error) {
	trial := atomicfile.Trial{Path: path, EUID: s.euid, UID: s.euid}
	if s.euid == 0 {
		info, err := dir.Stat()
		if err != nil {
			return atomicfile.Found{}, s.homeError(path, err)
		}
		trial.UID, trial.GID = info.UID, info.GID
		if s.cfg.SlotUser != nil {
			trial.UID, trial.GID = s.cfg.SlotUser.UID, s.cfg.SlotUser.GID
		}
	}
	found, err := trial.Try(dir)
	if errors.Is(err, syscall.EACCES) && s.euid != 0 {
		err = s.homeError(path, err)
	}
	return found, err
}
