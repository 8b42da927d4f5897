package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/words"
)

// Facts is what Inspect saw of one slot. No field is a secret.
type Facts struct {
	ID       session.ID
	Dir      string
	UID      int              // of the directory; -1 where there is none
	Insecure []*InsecureError // every wrong thing of home, directory and files

	// Err is why the head cannot be read: ErrCorrupt, ErrNewer, ErrInsecure or the
	// disk. With nil and Saved false the slot was never saved.
	Err        error
	Saved      bool
	Tombstone  bool
	Generation uint64
	Backend    words.Backend
	SavedAt    time.Time
	Doubt      *Doubt
}

// Doubt is a put or delete that was not seen to end: what a fence says.
type Doubt struct {
	Generation uint64
	Operation  string // put, delete
	Since      time.Time
	Over       bool // its provider has certainly ended; Reconcile will remove the fence
}

// Inspect looks at a slot and changes nothing: it takes no lock, adopts nothing, sets
// nothing aside and does not ask the keychain. p is the last probe, which tells whether a
// fence is over; the zero Probe tells nothing. session.ErrID: a programming error.
func (s *Store) Inspect(id session.ID, p Probe) (Facts, error) {
	f := Facts{ID: id, Dir: s.Dir(id), UID: -1, Backend: words.BackendNone}
	if id.IsZero() {
		return f, session.ErrID
	}
	dir, found := s.home.Inspect(id)
	f.UID, f.Insecure, f.Err = found.UID, found.Insecure, found.Err
	if dir == nil {
		return f, nil
	}
	defer dir.Close()
	if f.Err == nil {
		(&slot{Slot: dir, store: s}).inspectHead(&f, p)
	}
	return f, nil
}

func (sl *slot) inspectHead(f *Facts, p Probe) {
	h, at, err := sl.readHead()
	if errors.Is(err, errNoHead) {
		return
	}
	if f.Err = err; err != nil {
		return
	}
	f.Saved, f.Tombstone, f.Generation, f.SavedAt = true, h.Tombstone, h.Generation, at
	if !h.Tombstone {
		f.Backend = h.Where
	}
	if d := h.fence(); d != nil {
		f.Doubt = &Doubt{
			Generation: d.Generation, Operation: d.Operation, Since: time.Unix(d.At, 0),
			Over: d.over(p, sl.store.cfg.BootID()),
		}
	}
}

// Peek returns the slot's session as Load does, and changes nothing: it takes no lock,
// adopts nothing and sets nothing aside. As a save may be under way, it reads head and
// keychain twice before it returns ErrInconsistent. Errors: as Load, without ErrBusy.
func (s *Store) Peek(ctx context.Context, id session.ID) (session.Session, Info, error) {
	sl, err := s.open(id)
	if errors.Is(err, fs.ErrNotExist) {
		return session.Session{}, Info{}, ErrNoSession
	}
	if err != nil {
		return session.Session{}, Info{}, err
	}
	defer sl.Close()
	payload, info, err := sl.peek(ctx)
	if errors.Is(err, errMismatch) {
		payload, info, err = sl.peek(ctx)
	}
	switch {
	case errors.Is(err, errNoHead):
		return session.Session{}, Info{}, ErrNoSession
	case errors.Is(err, errMismatch):
		return session.Session{}, Info{}, fmt.Errorf("slot %s: %w", id, ErrInconsistent)
	case err != nil:
		return session.Session{}, Info{}, err
	}
	v, err := session.Decode(payload)
	if err != nil {
		return session.Session{}, Info{}, fmt.Errorf("slot %s, generation %d: %w: %w", id, info.Generation, ErrNewer, err)
	}
	return v, info, nil
}

func (sl *slot) peek(ctx context.Context) ([]byte, Info, error) {
	h, at, err := sl.readHead()
	if err != nil {
		return nil, Info{}, err
	}
	payload, info, err := sl.payloadOf(ctx, h, at, sl.store.probe)
	if errors.Is(err, errMismatch) && h.Generation == 0 {
		err = ErrNoSession // the first save was cut off before the keychain took it
	}
	return payload, info, err
}
