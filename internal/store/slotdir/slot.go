package slotdir

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/agentkeys/agentkeys/internal/atomicfile"
	"github.com/agentkeys/agentkeys/internal/session"
)

// Slot is one open directory that passed the checks. Its methods that change something
// are for Locked. It is for one goroutine.
type Slot struct {
	home *Home
	id   session.ID
	path string
	dir  atomicfile.Dir
	info atomicfile.Info
}

// Close ends the use of the slot. Every write was synced before.
func (s *Slot) Close() { _ = s.dir.Close() }

// ID is the id that the slot was opened with.
func (s *Slot) ID() session.ID { return s.id }

// Path is the directory.
func (s *Slot) Path() string { return s.path }

// ModTime is when an entry of the directory changed last, as of the moment of opening.
func (s *Slot) ModTime() time.Time { return s.info.ModTime }

// Read returns the bytes of a file and when it was written. fs.ErrNotExist: there is
// none. ErrTooLong: it has more than limit bytes. ErrInsecure: a person must act.
func (s *Slot) Read(name string, limit int64) ([]byte, time.Time, error) {
	return s.home.read(s.dir, s.info, filepath.Join(s.path, name), name, limit)
}

func (h *Home) read(dir atomicfile.Dir, dirInfo atomicfile.Info, path, name string, limit int64) ([]byte, time.Time, error) {
	f, err := dir.Open(name)
	if err != nil {
		if info, e := dir.Lstat(name); e == nil && errors.Is(err, fs.ErrPermission) {
			if insecure := h.checkFile(path, info, dirInfo); insecure != nil {
				return nil, time.Time{}, insecure
			}
		}
		return nil, time.Time{}, h.pathError(path, dirInfo, err)
	}
	defer func() { _ = f.Close() }() // read only
	info, err := f.Stat()
	if err == nil {
		err = h.checkFile(path, info, dirInfo)
	}
	if err != nil {
		return nil, time.Time{}, err
	}
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = ErrTooLong
	}
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("read %s: %w", path, err)
	}
	return data, info.ModTime, nil
}

// Write replaces a file, durably.
func (s *Slot) Write(name string, data []byte) error {
	if err := atomicfile.Write(s.dir, name, data); err != nil {
		return fmt.Errorf("%s: %w", s.path, err)
	}
	s.home.cfg.Written()
	return nil
}

// Remove removes a file; Sync makes that durable. One that is not there is no error.
func (s *Slot) Remove(name string) error {
	if err := s.dir.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s: %w", s.path, err)
	}
	return nil
}

// Rename gives a file another name, durably.
func (s *Slot) Rename(from, to string) error {
	if err := s.dir.Rename(from, to); err != nil {
		return fmt.Errorf("rename %s to %s: %w", filepath.Join(s.path, from), to, err)
	}
	return s.Sync()
}

// Has reports whether there is an entry of that name, of whatever type. One that cannot be
// looked at counts as none.
func (s *Slot) Has(name string) bool {
	_, err := s.dir.Lstat(name)
	return err == nil
}

// Names lists the entries, sorted.
func (s *Slot) Names() ([]string, error) {
	names, err := s.dir.Names()
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", s.path, err)
	}
	return names, nil
}

// Sync makes the present entries of the directory durable, whichever process made them.
func (s *Slot) Sync() error {
	if err := s.dir.Sync(); err != nil {
		return fmt.Errorf("sync %s: %w", s.path, err)
	}
	return nil
}
