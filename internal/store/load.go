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

// Load returns the slot's session. It changes nothing, except that a session of an earlier
// version or of another program is adopted, which means saved once as a session of this
// version.
//
// Errors: ErrNoSession, the only one that may lead to pairing; ErrUnavailable (wait
// for the keychain); ErrInconsistent, ErrCorrupt, ErrInsecure and ErrNewer (a person
// must act); ErrBusy (try again); session.ErrID; anything else is the disk.
func (s *Store) Load(ctx context.Context, id session.ID) (session.Session, Info, error) {
	v, info, err := s.load(ctx, id)
	s.observe("load", info.Backend, err)
	return v, info, err
}

func (s *Store) load(ctx context.Context, id session.ID) (session.Session, Info, error) {
	payload, info, err := s.loadPayload(ctx, id)
	if err != nil {
		return session.Session{}, Info{}, err
	}
	v, err := session.Decode(payload)
	if err != nil {
		// The digest was right, so the bytes are as they were written: by a newer program.
		return session.Session{}, Info{}, fmt.Errorf("slot %s, generation %d: %w: %w", id, info.Generation, ErrNewer, err)
	}
	return v, info, nil
}

func (s *Store) loadPayload(ctx context.Context, id session.ID) ([]byte, Info, error) {
	sl, err := s.open(id)
	if errors.Is(err, fs.ErrNotExist) {
		return s.loadHeadless(ctx, id)
	}
	if err != nil {
		return nil, Info{}, err
	}
	defer sl.Close()
	h, at, err := sl.readHead()
	switch {
	case errors.Is(err, errNoHead):
		return s.loadHeadless(ctx, id)
	case errors.Is(err, ErrCorrupt):
		return nil, Info{}, sl.reportCorrupt(ctx, err)
	case err != nil:
		return nil, Info{}, err
	}
	payload, info, err := sl.payloadOf(ctx, h, at, s.probe)
	switch {
	case errors.Is(err, errMismatch):
		err = sl.Locked(ctx, func() (err error) {
			payload, info, err = sl.loadLocked(ctx)
			return err
		})
	case err == nil && h.Generation == 0:
		sl.commitFirst(h)
	}
	return payload, info, err
}

// commitFirst commits a first save that was cut off after the keychain took the value: once
// a caller has seen the session, the slot must never look empty again, even if the keychain
// denies the entry later. If the lock is taken, its holder is about to change the head; if
// the disk refuses the write, the next Load tries again.
func (sl *slot) commitFirst(seen head) {
	_ = sl.TryLocked(func() error { // for the reasons above
		h, _, err := sl.readHead()
		if err != nil || h.Generation != 0 || h.Pending != seen.Pending {
			return err
		}
		if err := sl.writeHead(h.withPendingCommitted()); err != nil {
			sl.store.cfg.Logger.Warn("first save not completed", "session_id", sl.ID().String(), "error", err)
		}
		return nil
	})
}

// errMismatch: the keychain does not show what the head says. A save may be under way, so
// both are read again under the lock; only then it is ErrInconsistent.
var errMismatch = errors.New("the keychain shows another generation or none")

// payloadOf finds the payload of a head. With the payload in the file the keychain is not
// asked. Errors: ErrNoSession, ErrUnavailable, errMismatch.
func (sl *slot) payloadOf(ctx context.Context, h head, at time.Time, probe func(context.Context) Probe) ([]byte, Info, error) {
	s := sl.store
	info := s.infoOf(h, at)
	switch {
	case h.Tombstone:
		return nil, Info{}, fmt.Errorf("slot %s was deleted: %w", sl.ID(), ErrNoSession)
	case h.Where == words.BackendFile:
		return h.Payload, info, nil
	case !s.keychainFor(sl.ID()):
		return nil, Info{}, &UnavailableError{State: words.KeychainDisabled, Reason: "the session is in the keychain, which is not to be used"}
	}
	if p := probe(ctx); !p.State.Readable() {
		return nil, Info{}, unavailable(p)
	}
	v, err := s.entry(ctx, sl.ID())
	switch {
	case errors.Is(err, ErrUnavailable):
		return nil, Info{}, err
	case err != nil || !h.holds(v):
		return nil, Info{}, errMismatch
	}
	info.Generation = v.generation
	return v.payload, info, nil
}

// loadLocked reads head and keychain again, while no save can be under way.
func (sl *slot) loadLocked(ctx context.Context) ([]byte, Info, error) {
	h, at, err := sl.readHead()
	if err != nil {
		return nil, Info{}, err
	}
	payload, info, err := sl.payloadOf(ctx, h, at, sl.store.probeNow)
	if !errors.Is(err, errMismatch) {
		return payload, info, err
	}
	if h.Generation == 0 {
		return sl.loadUnsaved(ctx, h)
	}
	return nil, Info{}, fmt.Errorf("slot %s, generation %d: %w", sl.ID(), h.Generation, ErrInconsistent)
}
