package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/store/slotdir"
	"github.com/agentkeys/agentkeys/internal/words"
)

// errNoHead: the slot was never saved. It does not leave the package: callers get
// ErrNoSession, unless a session is found in the keychain or in the layout of an earlier
// version.
var errNoHead = errors.New("no head")

// slot is one open slot directory and the store that works on it.
type slot struct {
	*slotdir.Slot
	store *Store
}

// open opens an existing slot; fs.ErrNotExist when there is none.
func (s *Store) open(id session.ID) (*slot, error) { return s.opened(s.home.Open(id)) }

func (s *Store) opened(dir *slotdir.Slot, err error) (*slot, error) {
	if err != nil {
		return nil, err
	}
	return &slot{Slot: dir, store: s}, nil
}

// openOrMake opens a slot, and makes it if it was never saved. One that another process
// made without saving yet is made again: its directory may not be durable.
func (s *Store) openOrMake(id session.ID) (*slot, error) {
	sl, err := s.open(id)
	if err == nil {
		_, _, err = sl.readHead()
		if !errors.Is(err, errNoHead) {
			return sl, nil
		}
		sl.Close()
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return s.opened(s.home.Make(id))
}

// change opens a slot by open and runs work under its lock. Errors: open's, work's, and
// those of slotdir.Slot.Locked.
func (s *Store) change(ctx context.Context, id session.ID, open func(session.ID) (*slot, error), work func(*slot) error) error {
	sl, err := open(id)
	if err != nil {
		return err
	}
	defer sl.Close()
	return sl.Locked(ctx, func() error { return work(sl) })
}

// readHead returns the head and when it was written. errNoHead: never saved;
// ErrCorrupt also if a corrupt head was set aside and nothing was saved since.
func (sl *slot) readHead() (head, time.Time, error) {
	data, at, err := sl.Read(words.FileHead, headLimit)
	if errors.Is(err, fs.ErrNotExist) {
		return head{}, time.Time{}, sl.absentHead()
	}
	if errors.Is(err, slotdir.ErrTooLong) {
		return head{}, time.Time{}, fmt.Errorf("%s: %w: %w", sl.headPath(), ErrCorrupt, slotdir.ErrTooLong)
	}
	if err != nil {
		return head{}, time.Time{}, err
	}
	h, err := parseHead(data, sl.ID())
	if err != nil {
		return head{}, time.Time{}, fmt.Errorf("%s: %w", sl.headPath(), err)
	}
	return h, at, nil
}

func (sl *slot) writeHead(h head) error {
	data, err := h.encode()
	if err != nil {
		return fmt.Errorf("%s: %w", sl.headPath(), err)
	}
	return sl.Write(words.FileHead, data)
}

func (sl *slot) headPath() string { return filepath.Join(sl.Path(), words.FileHead) }
