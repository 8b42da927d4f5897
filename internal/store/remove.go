package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/agentkeys/agentkeys/internal/session"
)

// Delete removes the slot's session for good: a tombstone first, then the keychain
// entry. Other state files of the slot stay. A pending slot goes with its directory.
// Deleting what is not there is no error.
//
// ErrInDoubt: deleted, Load says ErrNoSession from now on, but the keychain did not
// confirm that the entry is gone; Reconcile finishes it. ErrUnavailable: never
// saved, and nobody can look whether the keychain has a session of that wallet.
// Otherwise as Save.
func (s *Store) Delete(ctx context.Context, id session.ID) error {
	backend, err := s.delete(ctx, id)
	s.observe("delete", backend, err)
	return err
}

func (s *Store) delete(ctx context.Context, id session.ID) (Backend, error) {
	if id.IsPending() {
		return BackendFile, s.removePending(ctx, id)
	}
	if err := ctx.Err(); err != nil {
		return BackendNone, fmt.Errorf("delete %s: %w", id, err)
	}
	if there, err := s.anythingToDelete(ctx, id); err != nil || !there {
		return BackendNone, err
	}
	t, err := s.makeSlot(id)
	if err != nil {
		return BackendNone, err
	}
	defer t.close()
	unlock, err := t.lock(ctx)
	if err != nil {
		return BackendNone, err
	}
	defer unlock()
	h, err := t.headToChange(ctx)
	if err != nil {
		return BackendNone, err
	}
	return h.Where, t.bury(ctx, h)
}

// anythingToDelete keeps a delete of nothing from making a slot. What an earlier
// version left is adopted first and then deleted as ours.
func (s *Store) anythingToDelete(ctx context.Context, id session.ID) (bool, error) {
	t, err := s.openSlot(id)
	if err == nil {
		defer t.close()
		if _, _, err = t.readHead(); !errors.Is(err, errNoHead) {
			return true, nil
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	_, _, err = s.loadHeadless(ctx, id)
	switch {
	case errors.Is(err, ErrNoSession):
		return false, nil
	case errors.Is(err, ErrInconsistent): // an entry whose head was lost
		return true, nil
	}
	return err == nil, err
}

// bury writes the tombstone over h and clears the keychain. The caller holds the lock.
func (t *slot) bury(ctx context.Context, h head) error {
	s := t.store
	tomb := head{
		Version: headVersion, ID: t.id.String(), Generation: h.next(),
		Where: BackendFile, Tombstone: true, Keychain: h.keptNote(),
	}
	if h.Tombstone && h.Keychain == nil && h.Pending == 0 {
		tomb = h // deleted and finished before
	} else if err := t.writeHead(tomb); err != nil {
		return err
	}
	if !s.keychainFor(t.id) {
		return t.unconfirmed(tomb, nil)
	}
	if p := s.probeNow(ctx); !p.State.Writable() {
		return t.unconfirmed(tomb, unavailable(p))
	} else if done, err := t.clear(ctx, tomb, p); err != nil || done.fence() != nil {
		return t.unconfirmed(done, err)
	}
	return nil
}

// unconfirmed is ErrInDoubt if the keychain may hold anything of the slot.
func (t *slot) unconfirmed(tomb head, cause error) error {
	switch {
	case tomb.Keychain == nil && (cause == nil || errors.Is(cause, ErrUnavailable)):
		return nil
	case cause == nil:
		return fmt.Errorf("delete %s: %w", t.id, ErrInDoubt)
	case errors.Is(cause, ErrInDoubt):
		return fmt.Errorf("delete %s: %w", t.id, cause)
	}
	return fmt.Errorf("delete %s: %w: %w", t.id, ErrInDoubt, cause)
}

// clear makes sure that the keychain holds nothing of a buried slot and then drops
// the note from the head. It deletes only what it sees, and has the fence up before
// it does: a delete that is still under way could hit a later save. While an older
// fence stands it clears what shows and keeps the fence.
func (t *slot) clear(ctx context.Context, h head, p Probe) (head, error) {
	s := t.store
	standing := h.fence() != nil && !h.fence().over(p, s.cfg.BootID())
	_, err := s.entry(ctx, t.id)
	switch {
	case errors.Is(err, ErrKeychainAbsent):
	case errors.Is(err, ErrUnavailable):
		return h, err
	default: // present, ours or not
		if h, err = t.clearEntry(ctx, h, p, standing); err != nil {
			return h, err
		}
	}
	if standing || h.Keychain == nil {
		return h, nil
	}
	h.Generation = max(h.Generation, h.Pending)
	h.Keychain, h.Pending, h.PendingSHA256 = nil, 0, ""
	return h, t.writeHead(h)
}

// clearEntry deletes what shows. On an error the fence stays.
func (t *slot) clearEntry(ctx context.Context, h head, p Probe, standing bool) (head, error) {
	s := t.store
	if !standing {
		h.Keychain = h.noteKeychain(p.Provider)
		h.Keychain.InDoubt = s.newFence(operationDelete, h.Generation, p)
		if err := t.writeHead(h); err != nil {
			return h, err
		}
	}
	if err := s.remove(ctx, t.id.String()); err != nil {
		return h, fmt.Errorf("%w: the keychain entry of %s is still there or was not seen to go", ErrInDoubt, t.id)
	}
	return h, nil
}
