package slotdir

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/words"
)

var stateName = regexp.MustCompile(`\A[a-z0-9][a-z0-9._-]{0,63}\z`)

// Files are the state files of the slots of a home: what a program keeps in a slot apart
// from the session, as cache.json. Store embeds them, so its callers have these methods.
type Files struct{ home *Home }

// Files are the state files in this home.
func (h *Home) Files() Files { return Files{h} }

// Home is the directory of all slots.
func (f Files) Home() string { return f.home.cfg.Home }

// Dir is the directory of a slot, whether or not it exists.
func (f Files) Dir(id session.ID) string { return f.home.dir(id) }

// RunLock is the file whose lock Slot.HoldRun takes.
func (f Files) RunLock(id session.ID) string { return filepath.Join(f.home.dir(id), runLockName) }

// ReadFile returns a state file of an existing slot under the same strict checks as the
// session. fs.ErrNotExist: no such file or slot. ErrInsecure: a person must act. ErrTooBig:
// over Config.FileLimit.
func (f Files) ReadFile(id session.ID, name string) ([]byte, error) {
	s, err := f.open(id, name)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	data, _, err := s.Read(name, f.home.cfg.FileLimit)
	if errors.Is(err, ErrTooLong) {
		return nil, fmt.Errorf("%w: %w", ErrTooBig, err)
	}
	return data, err
}

// WriteFile replaces a state file of an existing slot atomically and durably, mode 0600.
// fs.ErrNotExist: no such slot. ErrBusy: try again. ErrTooBig: over Config.FileLimit.
// ErrInsecure: what is there is refused and not replaced.
func (f Files) WriteFile(id session.ID, name string, data []byte) error {
	return f.change(id, name, func(s *Slot) error { return f.write(s, name, data) })
}

func (f Files) write(s *Slot, name string, data []byte) error {
	if int64(len(data)) > f.home.cfg.FileLimit {
		return fmt.Errorf("state file %s of %d bytes: %w", name, len(data), ErrTooBig)
	}
	return s.Write(name, data)
}

// UpdateFile is a ReadFile and a WriteFile under one lock, so that of two processes neither
// undoes what the other wrote. change gets nil where there is no file, and returns nil where
// nothing is to be written; its error is returned as it is. It must not call the store.
func (f Files) UpdateFile(id session.ID, name string, change func(old []byte) ([]byte, error)) error {
	return f.change(id, name, func(s *Slot) error {
		old, _, err := s.Read(name, f.home.cfg.FileLimit)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		data, err := change(old)
		if err != nil || data == nil {
			return err
		}
		return f.write(s, name, data)
	})
}

// RemoveFile removes a state file durably. It is no error if there is no such file or slot.
func (f Files) RemoveFile(id session.ID, name string) error {
	err := f.change(id, name, func(s *Slot) error {
		if err := s.Remove(name); err != nil {
			return err
		}
		return s.Sync()
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// change runs work under the lock, unless the file that it is about is insecure.
func (f Files) change(id session.ID, name string, work func(*Slot) error) error {
	s, err := f.open(id, name)
	if err != nil {
		return err
	}
	defer s.Close()
	return s.Locked(context.Background(), func() error {
		if info, err := s.dir.Lstat(name); err == nil {
			if err := f.home.checkFile(filepath.Join(s.path, name), info, s.info); err != nil {
				return err
			}
		}
		return work(s)
	})
}

func (f Files) open(id session.ID, name string) (*Slot, error) {
	if !stateName.MatchString(name) || strings.HasPrefix(name, words.FileHead) {
		return nil, fmt.Errorf("%.64q: %w", name, ErrName)
	}
	return f.home.Open(id)
}
