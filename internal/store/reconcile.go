package store

import (
	"context"
	"errors"
	"io/fs"

	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/store/slotdir"
	"github.com/agentkeys/agentkeys/internal/words"
)

// Reconcile works on every slot of the home, and removes pending ones that have expired. It
// works on the others after an error too, and returns all errors; see ReconcileSlot.
func (s *Store) Reconcile(ctx context.Context) error {
	var ids []session.ID
	var errs []error
	err := s.home.Each(func(id session.ID, _ *slotdir.Slot, err error) {
		if err != nil {
			errs = append(errs, err)
			return
		}
		ids = append(ids, id)
	})
	errs = append(errs, err)
	for _, id := range ids {
		errs = append(errs, s.ReconcileSlot(ctx, id))
	}
	return errors.Join(errs...)
}

// ReconcileSlot does one step of what a slot still needs: it removes a fence when the
// provider that was given the operation in doubt has ended, finishes deletes and saves that
// were cut off, removes abandoned generations from the keychain, and moves a session from
// the file to the keychain after three healthy probes in a row over at least 60 s (the first
// call after New needs one). Call it at start and then about every 30 s; a slot that needs
// nothing costs one small read. A pending slot is removed once it has expired.
//
// nil also means that the keychain is not healthy, or that the fence has to stay.
// Errors: ErrInDoubt (a write failed; tried again in 10 min), ErrInconsistent (the
// keychain shows a newer generation: a person must act), otherwise as Load.
func (s *Store) ReconcileSlot(ctx context.Context, id session.ID) error {
	backend, worked, err := s.reconcile(ctx, id)
	if worked || err != nil {
		s.observe("reconcile", backend, err)
	}
	return err
}

// reconcile looks without the lock first: most calls find that nothing is to be done.
func (s *Store) reconcile(ctx context.Context, id session.ID) (backend words.Backend, worked bool, err error) {
	sl, err := s.open(id)
	if errors.Is(err, fs.ErrNotExist) {
		return "", false, nil
	}
	if err != nil {
		return "", false, err
	}
	defer sl.Close()
	if id.IsPending() {
		return words.BackendFile, false, sl.removeExpired(ctx)
	}
	if err := sl.CleanUp(ctx); err != nil {
		return "", false, err
	}
	h, _, err := sl.readHead()
	if errors.Is(err, errNoHead) || err == nil && (!s.keychainFor(id) || h.complete()) {
		return "", false, nil
	}
	if err != nil || !s.mayAttempt(id) {
		return "", false, err
	}
	if p := s.probe(ctx); !p.State.Readable() {
		s.noteProbe(id, p.State)
		return "", false, nil
	}
	err = sl.Locked(ctx, func() (err error) {
		backend, worked, err = sl.reconcile(ctx)
		return err
	})
	return backend, worked, err
}

// reconcile is the part under the lock.
func (sl *slot) reconcile(ctx context.Context) (words.Backend, bool, error) {
	s := sl.store
	h, _, err := sl.readHead()
	if err != nil || h.complete() {
		return "", false, err
	}
	p := s.probeNow(ctx)
	mayMove := s.noteProbe(sl.ID(), p.State)
	if !p.State.Readable() {
		return h.Where, false, nil
	}
	h, err = sl.advance(ctx, h, p, mayMove)
	if err != nil {
		s.postpone(sl.ID())
	}
	return h.Where, true, err
}

// complete: the head is in a state that Reconcile has no step for.
func (h head) complete() bool {
	if h.Tombstone {
		return h.Keychain == nil
	}
	return h.Where == words.BackendKeychain && h.Pending == 0 && h.fence() == nil
}

// advance does the one step that the head needs next. The caller holds the lock, and the
// keychain can be read.
func (sl *slot) advance(ctx context.Context, h head, p Probe, mayMove bool) (head, error) {
	h, err := sl.addMissingFence(h, p)
	if err != nil {
		return h, err
	}
	standing := sl.standing(h.fence(), p)
	switch {
	case h.Tombstone:
		return sl.finishDelete(ctx, h, p)
	case h.Where == words.BackendKeychain && standing:
		return h, nil // the old value or the pending one: Load accepts either
	case h.Where == words.BackendKeychain:
		return sl.finishSave(ctx, h)
	case standing:
		return sl.removeAbandoned(ctx, h, p)
	}
	if h.fence() != nil {
		if h, err = sl.removeFence(ctx, h); err != nil {
			return h, err
		}
	}
	if !mayMove || !p.State.Writable() {
		return h, nil
	}
	return sl.moveToKeychain(ctx, h)
}

// addMissingFence writes a fence where an announcement has none.
func (sl *slot) addMissingFence(h head, p Probe) (head, error) {
	if !h.lacksFence() {
		return h, nil
	}
	h = h.withFence(p.Provider, sl.store.newFence(operationPut, h.Pending, p))
	return h, sl.writeHead(h)
}
