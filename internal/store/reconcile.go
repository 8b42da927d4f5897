package store

import (
	"context"
	"errors"
	"io/fs"

	"github.com/agentkeys/agentkeys/internal/atomicfile"
	"github.com/agentkeys/agentkeys/internal/session"
)

// Reconcile works on every slot of the home and collects dead pending ones. It goes
// on after an error and returns all of them; see ReconcileSlot.
func (s *Store) Reconcile(ctx context.Context) error {
	var ids []session.ID
	var errs []error
	err := s.eachSlot(func(id session.ID, _ *slot, err error) {
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

// ReconcileSlot does one step of what a slot still needs: it takes a fence down
// when the provider that has the write in doubt is gone, finishes deletes, removes
// burnt generations, and moves a session from the file to the keychain after three
// healthy probes in a row over at least 60 s (the first call after New needs one).
// Call it at start and then about every 30 s; a slot that needs nothing costs one
// small read. A dead pending slot is collected.
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

func (s *Store) reconcile(ctx context.Context, id session.ID) (backend Backend, worked bool, err error) {
	t, err := s.openSlot(id)
	if errors.Is(err, fs.ErrNotExist) {
		return "", false, nil
	}
	if err != nil {
		return "", false, err
	}
	defer t.close()
	if id.IsPending() {
		return BackendFile, false, t.collect(ctx)
	}
	if err := t.cleanUp(ctx); err != nil {
		return "", false, err
	}
	h, _, err := t.readHead()
	if errors.Is(err, errNoHead) || err == nil && (!s.keychainFor(id) || h.settled()) {
		return "", false, nil
	}
	if err != nil || !s.mayWork(id) {
		return "", false, err
	}
	if p := s.probe(ctx); !p.State.Readable() {
		s.noteProbe(id, p.State)
		return "", false, nil
	}
	return t.reconcile(ctx)
}

// cleanUp removes what a write left that was cut off: it may hold the session.
func (t *slot) cleanUp(ctx context.Context) error {
	left, err := atomicfile.HasLeftovers(t.dir)
	if err != nil || !left {
		return err
	}
	unlock, err := t.lock(ctx)
	if err != nil {
		return err
	}
	unlock()
	return nil
}

func (t *slot) reconcile(ctx context.Context) (Backend, bool, error) {
	s := t.store
	unlock, err := t.lock(ctx)
	if err != nil {
		return "", false, err
	}
	defer unlock()
	h, _, err := t.readHead()
	if err != nil || h.settled() {
		return "", false, err
	}
	p := s.probeNow(ctx)
	ready := s.noteProbe(t.id, p.State)
	if !p.State.Readable() {
		return h.Where, false, nil
	}
	h, err = t.settle(ctx, h, p, ready)
	if err != nil {
		s.putOff(t.id)
	}
	return h.Where, true, err
}

// settled: nothing is left to do but to keep it.
func (h head) settled() bool {
	if h.Tombstone {
		return h.Keychain == nil
	}
	return h.Where == BackendKeychain && h.Pending == 0 && h.fence() == nil
}

// settle does the step that the head asks for. The caller holds the lock; the
// keychain can be read.
func (t *slot) settle(ctx context.Context, h head, p Probe, ready bool) (head, error) {
	h, err := t.fenceCutOff(h, p)
	if err != nil {
		return h, err
	}
	standing := t.standing(h.fence(), p)
	switch {
	case h.Tombstone:
		return t.settleTombstone(ctx, h, p)
	case h.Where == BackendKeychain && standing:
		return h, nil // the old value or the pending one: Load takes either
	case h.Where == BackendKeychain:
		return t.settleInKeychain(ctx, h)
	case standing:
		return t.removeBurnt(ctx, h, p)
	}
	if h.fence() != nil {
		if h, err = t.takeDown(ctx, h); err != nil {
			return h, err
		}
	}
	if !ready || !p.State.Writable() {
		return h, nil
	}
	return t.move(ctx, h)
}

// fenceCutOff puts a fence up where an intent stands without one.
func (t *slot) fenceCutOff(h head, p Probe) (head, error) {
	if !h.cutOff() {
		return h, nil
	}
	h = h.doubting(p.Provider, t.store.newFence(operationPut, h.Pending, p))
	return h, t.writeHead(h)
}
