package store

import (
	"context"
	"errors"
	"io/fs"

	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/store/slotdir"
)

// Reconcile works on every slot of the home and collects dead pending ones. It goes
// on after an error and returns all of them; see ReconcileSlot.
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
	sl, err := s.open(id)
	if errors.Is(err, fs.ErrNotExist) {
		return "", false, nil
	}
	if err != nil {
		return "", false, err
	}
	defer sl.Close()
	if id.IsPending() {
		return BackendFile, false, sl.collect(ctx)
	}
	if err := sl.CleanUp(ctx); err != nil {
		return "", false, err
	}
	h, _, err := sl.readHead()
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
	err = sl.Locked(ctx, func() (err error) {
		backend, worked, err = sl.reconcile(ctx)
		return err
	})
	return backend, worked, err
}

// reconcile is the part that needs the lock.
func (sl *slot) reconcile(ctx context.Context) (Backend, bool, error) {
	s := sl.store
	h, _, err := sl.readHead()
	if err != nil || h.settled() {
		return "", false, err
	}
	p := s.probeNow(ctx)
	ready := s.noteProbe(sl.ID(), p.State)
	if !p.State.Readable() {
		return h.Where, false, nil
	}
	h, err = sl.settle(ctx, h, p, ready)
	if err != nil {
		s.putOff(sl.ID())
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
func (sl *slot) settle(ctx context.Context, h head, p Probe, ready bool) (head, error) {
	h, err := sl.fenceCutOff(h, p)
	if err != nil {
		return h, err
	}
	standing := sl.standing(h.fence(), p)
	switch {
	case h.Tombstone:
		return sl.settleTombstone(ctx, h, p)
	case h.Where == BackendKeychain && standing:
		return h, nil // the old value or the pending one: Load takes either
	case h.Where == BackendKeychain:
		return sl.settleInKeychain(ctx, h)
	case standing:
		return sl.removeBurnt(ctx, h, p)
	}
	if h.fence() != nil {
		if h, err = sl.takeDown(ctx, h); err != nil {
			return h, err
		}
	}
	if !ready || !p.State.Writable() {
		return h, nil
	}
	return sl.move(ctx, h)
}

// fenceCutOff puts a fence up where an intent stands without one.
func (sl *slot) fenceCutOff(h head, p Probe) (head, error) {
	if !h.cutOff() {
		return h, nil
	}
	h = h.doubting(p.Provider, sl.store.newFence(operationPut, h.Pending, p))
	return h, sl.writeHead(h)
}
