package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/agentkeys/agentkeys/internal/atomicfile"
	"github.com/agentkeys/agentkeys/internal/session"
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
	Backend    Backend
	SavedAt    time.Time
	Doubt      *Doubt
}

// Doubt is a keychain write that was not seen to end (a fence).
type Doubt struct {
	Generation uint64
	Operation  string // put, delete
	Since      time.Time
	Over       bool // its provider is gone for certain; Reconcile will clear it
}

// Inspect looks at a slot and changes nothing: it takes no lock, adopts nothing, sets
// nothing aside and does not ask the keychain. p is what a probe last said, to judge
// a fence by; the zero Probe is no knowledge. session.ErrID: a programming error.
func (s *Store) Inspect(id session.ID, p Probe) (Facts, error) {
	f := Facts{ID: id, Dir: s.Dir(id), UID: -1, Backend: BackendNone}
	if id.IsZero() {
		return f, session.ErrID
	}
	t := s.inspectDir(&f)
	if t == nil {
		return f, nil
	}
	defer t.close()
	if err := t.inspectFiles(&f); err != nil {
		f.Err = err
		return f, nil
	}
	if len(f.Insecure) > 0 {
		f.Err = f.Insecure[0]
		return f, nil
	}
	t.inspectHead(&f, p)
	return f, nil
}

// inspectDir opens the slot even where the checks refuse it, to name what else is
// wrong; nil where nothing can be opened.
func (s *Store) inspectDir(f *Facts) *slot {
	home, homeInfo, err := s.openHome()
	if err != nil {
		f.refuse(err)
		return nil
	}
	defer func() { _ = home.Close() }() // read only
	dir, err := home.OpenDir(f.ID.String())
	if err != nil {
		f.refuse(s.closedError(home, homeInfo, f.ID, err))
		return nil
	}
	info, err := dir.Stat()
	if err != nil {
		f.refuse(err)
		_ = dir.Close() // read only
		return nil
	}
	f.UID = info.UID
	private := info
	private.Mode &^= 0o077
	f.note(s.checkDir(f.ID, info, homeInfo))
	f.note(s.checkDir(f.ID, private, homeInfo))
	return &slot{store: s, id: f.ID, path: f.Dir, dir: dir, info: info}
}

// refuse records why the slot could not be opened; that there is none is no fault.
func (f *Facts) refuse(err error) {
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	f.Err = err
	f.note(err)
}

// note adds an InsecureError once.
func (f *Facts) note(err error) {
	var found *InsecureError
	if !errors.As(err, &found) {
		return
	}
	for _, known := range f.Insecure {
		if *known == *found {
			return
		}
	}
	f.Insecure = append(f.Insecure, found)
}

// inspectFiles checks everything in the directory but sockets, each property by
// itself, so that a person mends all of it at once.
func (t *slot) inspectFiles(f *Facts) error {
	names, err := t.dir.Names()
	if err != nil {
		return fmt.Errorf("list %s: %w", t.path, err)
	}
	for _, name := range names {
		info, err := t.dir.Lstat(name)
		if err != nil || info.Mode.Type() == fs.ModeSocket {
			continue // removed meanwhile, or the daemon's own
		}
		good := atomicfile.Info{Mode: 0o600, UID: t.info.UID, Links: 1}
		mode, owner, links := good, good, good
		mode.Mode, owner.UID, links.Links = info.Mode, info.UID, info.Links
		if !info.Mode.IsRegular() { // a link's own mode and names mean nothing
			owner, links = good, good
		}
		for _, alone := range []atomicfile.Info{mode, owner, links} {
			f.note(t.store.checkFile(filepath.Join(t.path, name), alone, t.info))
		}
	}
	return nil
}

func (t *slot) inspectHead(f *Facts, p Probe) {
	h, at, err := t.readHead()
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
			Over: d.over(p, t.store.cfg.BootID()),
		}
	}
}

// Peek returns the slot's session as Load does, and changes nothing: it takes no
// lock, adopts nothing and sets nothing aside. Where a save may be under way it
// looks twice before ErrInconsistent. Errors: as Load, without ErrBusy.
func (s *Store) Peek(ctx context.Context, id session.ID) (session.Session, Info, error) {
	t, err := s.openSlot(id)
	if errors.Is(err, fs.ErrNotExist) {
		return session.Session{}, Info{}, ErrNoSession
	}
	if err != nil {
		return session.Session{}, Info{}, err
	}
	defer t.close()
	payload, info, err := t.peek(ctx)
	if errors.Is(err, errMismatch) {
		payload, info, err = t.peek(ctx)
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

func (t *slot) peek(ctx context.Context) ([]byte, Info, error) {
	h, at, err := t.readHead()
	if err != nil {
		return nil, Info{}, err
	}
	payload, info, err := t.payloadOf(ctx, h, at, t.store.probe)
	if errors.Is(err, errMismatch) && h.Generation == 0 {
		err = ErrNoSession // the first save was cut off before the keychain took it
	}
	return payload, info, err
}
