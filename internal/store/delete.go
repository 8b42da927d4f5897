package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/words"
)

// deleteOperations is how many keychain operations a delete may take the time of: the
// probe, a read, the delete, and the read that verifies it.
const deleteOperations = 4

// Delete removes the slot's session for good: a tombstone first, then the keychain
// entry. Other state files of the slot stay. A pending slot is removed with its directory.
// Deleting what does not exist is no error.
//
// ErrInDoubt: deleted, and Load says ErrNoSession from now on, but the keychain did not
// confirm that the entry is gone; Reconcile finishes it. ErrUnavailable: the slot was never
// saved, and the keychain, which may have a session of that wallet, cannot be read.
// Otherwise as Save.
func (s *Store) Delete(ctx context.Context, id session.ID) error {
	backend, err := s.delete(ctx, id)
	s.observe("delete", backend, err)
	return err
}

func (s *Store) delete(ctx context.Context, id session.ID) (words.Backend, error) {
	if id.IsPending() {
		return words.BackendFile, s.removePending(ctx, id)
	}
	if err := ctx.Err(); err != nil {
		return words.BackendNone, fmt.Errorf("delete %s: %w", id, err)
	}
	if exists, err := s.anythingToDelete(ctx, id); err != nil || !exists {
		return words.BackendNone, err
	}
	backend := words.BackendNone
	err := s.change(ctx, id, s.openOrMake, func(sl *slot) error {
		h, err := sl.headToChange(ctx)
		if err != nil {
			return err
		}
		backend = h.Where
		return sl.delete(ctx, h)
	})
	return backend, err
}

// anythingToDelete keeps a delete of nothing from making a slot. What an earlier
// version left is adopted first, and then deleted as a session of this version.
func (s *Store) anythingToDelete(ctx context.Context, id session.ID) (bool, error) {
	sl, err := s.open(id)
	if err == nil {
		defer sl.Close()
		if _, _, err = sl.readHead(); !errors.Is(err, errNoHead) {
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

// delete writes the tombstone over h and clears the keychain. What the head knows of the
// keychain stays in the tombstone until Reconcile has looked once more and found nothing.
// The caller holds the lock.
func (sl *slot) delete(ctx context.Context, h head) error {
	s := sl.store
	tomb, err := sl.writeTombstone(h)
	if err != nil {
		return err
	}
	if !s.keychainFor(sl.ID()) {
		return sl.deleteResult(tomb, nil)
	}
	ctx, cancel := context.WithTimeout(ctx, deleteOperations*s.cfg.KeychainTimeout)
	defer cancel()
	p := s.probeNow(ctx)
	if !p.State.Writable() {
		return sl.deleteResult(tomb, unavailable(p))
	}
	done, found, err := sl.clearKeychain(ctx, tomb, p)
	expected := h.Where == words.BackendKeychain && h.Generation > 0
	if err != nil || done.fence() != nil || expected && !found {
		return sl.deleteResult(done, err)
	}
	return nil
}

// writeTombstone writes that the session of h is deleted. One that was deleted before, with
// nothing left in the keychain, stays as it is; it is synced, since the process that wrote
// it may have died before it could do that.
func (sl *slot) writeTombstone(h head) (head, error) {
	if h.Tombstone && h.Keychain == nil && h.Pending == 0 {
		return h, sl.Sync()
	}
	tomb := head{
		Version: headVersion, ID: sl.ID().String(), Generation: h.next(),
		Where: words.BackendFile, Tombstone: true, Keychain: h.noteToKeep(), Promoted: h.promotedWith(""),
	}
	return tomb, sl.writeHead(tomb)
}

// deleteResult is ErrInDoubt if the keychain may hold anything of the slot.
func (sl *slot) deleteResult(tomb head, cause error) error {
	switch {
	case tomb.Keychain == nil && (cause == nil || errors.Is(cause, ErrUnavailable)):
		return nil
	case cause == nil:
		return fmt.Errorf("delete %s: %w", sl.ID(), ErrInDoubt)
	case errors.Is(cause, ErrInDoubt):
		return fmt.Errorf("delete %s: %w", sl.ID(), cause)
	}
	// Only its text: for the caller the decision is ErrInDoubt, whatever the cause.
	return fmt.Errorf("delete %s: %w: %s", sl.ID(), ErrInDoubt, cause.Error())
}

// clearKeychain deletes the entry of a slot with a tombstone, and reports whether there was
// one. It deletes only what it sees, and writes a fence before it does: a delete that takes
// effect late could remove the entry of a later save.
//
// Where everything went well the fence goes, and the head notes the delete (removed). The
// fence stays if it stood before; if the same provider has removed an entry before, which
// then shows again; and if the provider was replaced during the delete.
func (sl *slot) clearKeychain(ctx context.Context, h head, p Probe) (done head, found bool, err error) {
	_, err = sl.store.entry(ctx, sl.ID())
	switch {
	case errors.Is(err, ErrKeychainAbsent):
		return h, false, nil
	case errors.Is(err, ErrUnavailable):
		return h, false, err
	}
	standing := sl.standing(h.fence(), p)
	stays := standing || sl.standing(h.removed(), p)
	if !standing {
		h = h.withFence(p.Provider, sl.store.newFence(operationDelete, h.Generation, p))
		if err := sl.writeHead(h); err != nil {
			return h, true, err
		}
	}
	h, replaced, err := sl.deleteFenced(ctx, h, p)
	if err != nil || stays || replaced {
		return h, true, err
	}
	h.Generation = max(h.Generation, h.Pending)
	h = h.withoutPending()
	fence := h.fence()
	h = h.withFence("", nil)
	h.Keychain.Removed = fence
	return h, true, sl.writeHead(h)
}

// deleteFenced deletes the entry, for which a fence stands, and makes the fence name the
// provider that was given the delete. replaced: it is not the provider of p.
// ErrInDoubt: the entry was not seen to go.
func (sl *slot) deleteFenced(ctx context.Context, h head, p Probe) (done head, replaced bool, err error) {
	failed := sl.store.deleteEntry(ctx, sl.ID().String())
	h, replaced = sl.updateFence(ctx, h, p)
	if replaced {
		err = sl.writeHead(h)
	}
	if err == nil && failed != nil {
		err = fmt.Errorf("%w: the entry was not seen to go", ErrInDoubt)
	}
	return h, replaced, err
}
