package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/agentkeys/agentkeys/internal/session"
)

// ErrName: not the name of a state file. A programming error.
var ErrName = errors.New("not the name of a state file")

var stateName = regexp.MustCompile(`\A[a-z0-9][a-z0-9._-]{0,63}\z`)

// ReadFile returns another state file of an existing slot (cache.json,
// manifests.json) under the same strict checks as the session. fs.ErrNotExist: no
// such file or slot. ErrInsecure: a person must act. ErrTooBig: over Config.FileLimit.
func (s *Store) ReadFile(id session.ID, name string) ([]byte, error) {
	t, err := s.openState(id, name)
	if err != nil {
		return nil, err
	}
	defer t.close()
	data, _, err := t.read(name, s.cfg.FileLimit)
	if errors.Is(err, errTooLong) {
		return nil, fmt.Errorf("%w: %w", ErrTooBig, err)
	}
	return data, err
}

// WriteFile replaces a state file of an existing slot atomically and durably, mode
// 0600. fs.ErrNotExist: no such slot. ErrBusy: try again. ErrTooBig: over
// Config.FileLimit. What is there but insecure is refused, not replaced.
func (s *Store) WriteFile(id session.ID, name string, data []byte) error {
	return s.changeState(id, name, func(t *slot) error { return t.writeState(name, data) })
}

func (t *slot) writeState(name string, data []byte) error {
	if int64(len(data)) > t.store.cfg.FileLimit {
		return fmt.Errorf("state file %s of %d bytes: %w", name, len(data), ErrTooBig)
	}
	return t.write(name, data)
}

// UpdateFile is a read and a WriteFile under one lock, so that of two processes neither
// takes back what the other wrote. change gets nil where there is no file, and returns
// nil where nothing is to be written; its error is returned as it is. It must not call
// the store.
func (s *Store) UpdateFile(id session.ID, name string, change func(old []byte) ([]byte, error)) error {
	return s.changeState(id, name, func(t *slot) error {
		old, _, err := t.read(name, s.cfg.FileLimit)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		data, err := change(old)
		if err != nil || data == nil {
			return err
		}
		return t.writeState(name, data)
	})
}

// RemoveFile removes a state file durably. It is no error if the file, or the
// slot, is not there.
func (s *Store) RemoveFile(id session.ID, name string) error {
	err := s.changeState(id, name, func(t *slot) error {
		if err := t.removeFile(name); err != nil {
			return err
		}
		if err := t.dir.Sync(); err != nil {
			return fmt.Errorf("sync %s: %w", t.path, err)
		}
		return nil
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func (s *Store) changeState(id session.ID, name string, change func(*slot) error) error {
	t, err := s.openState(id, name)
	if err != nil {
		return err
	}
	defer t.close()
	unlock, err := t.lock(context.Background())
	if err != nil {
		return err
	}
	defer unlock()
	if info, err := t.dir.Lstat(name); err == nil {
		if err := t.store.checkFile(filepath.Join(t.path, name), info, t.info); err != nil {
			return err
		}
	}
	return change(t)
}

func (s *Store) openState(id session.ID, name string) (*slot, error) {
	if !stateName.MatchString(name) || strings.HasPrefix(name, headName) {
		return nil, fmt.Errorf("%.64q: %w", name, ErrName)
	}
	return s.openSlot(id)
}
