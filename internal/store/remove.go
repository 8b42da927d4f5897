package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/agentkeys/agentkeys/internal/session"
)

// deleteOperations is how many keychain operations a delete may take the time of.
const deleteOperations = 4

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
	backend := BackendNone
	err := s.change(ctx, id, s.openOrMake, func(sl *slot) error {
		h, err := sl.headToChange(ctx)
		if err != nil {
			return err
		}
		backend = h.Where
		return sl.bury(ctx, h)
	})
	return backend, err
}

// anythingToDelete keeps a delete of nothing from making a slot. What an earlier
// version left is adopted first and then deleted as ours.
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

// bury writes the tombstone over h and clears the keychain. The note of the keychain
// stays in the head: it goes when Reconcile looks another time and finds nothing. The
// caller holds the lock.
func (sl *slot) bury(ctx context.Context, h head) error {
	s := sl.store
	tomb := head{
		Version: headVersion, ID: sl.ID().String(), Generation: h.next(),
		Where: BackendFile, Tombstone: true, Keychain: h.keptNote(), Promoted: h.taken(""),
	}
	if h.Tombstone && h.Keychain == nil && h.Pending == 0 {
		tomb = h // deleted and finished before
		if err := sl.Sync(); err != nil {
			return err
		}
	} else if err := sl.writeHead(tomb); err != nil {
		return err
	}
	if !s.keychainFor(sl.ID()) {
		return sl.unconfirmed(tomb, nil)
	}
	ctx, cancel := context.WithTimeout(ctx, deleteOperations*s.cfg.KeychainTimeout)
	defer cancel()
	p := s.probeNow(ctx)
	if !p.State.Writable() {
		return sl.unconfirmed(tomb, unavailable(p))
	}
	done, found, err := sl.clear(ctx, tomb, p)
	expected := h.Where == BackendKeychain && h.Generation > 0
	if err != nil || done.fence() != nil || expected && !found {
		return sl.unconfirmed(done, err)
	}
	return nil
}

// unconfirmed is ErrInDoubt if the keychain may hold anything of the slot.
func (sl *slot) unconfirmed(tomb head, cause error) error {
	switch {
	case tomb.Keychain == nil && (cause == nil || errors.Is(cause, ErrUnavailable)):
		return nil
	case cause == nil:
		return fmt.Errorf("delete %s: %w", sl.ID(), ErrInDoubt)
	case errors.Is(cause, ErrInDoubt):
		return fmt.Errorf("delete %s: %w", sl.ID(), cause)
	}
	return fmt.Errorf("delete %s: %w: %s", sl.ID(), ErrInDoubt, cause.Error()) // one decision: not its kind
}

// clear deletes what the keychain shows of a buried slot, and reports whether it
// showed anything. It deletes only what it sees, and has a fence up before it does:
// a delete still under way could hit a later save. A fence that stood before stays,
// and so does one over an entry that the same provider has removed before, and one whose
// provider was replaced meanwhile.
func (sl *slot) clear(ctx context.Context, h head, p Probe) (done head, found bool, err error) {
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
		h = h.doubting(p.Provider, sl.store.newFence(operationDelete, h.Generation, p))
		if err := sl.writeHead(h); err != nil {
			return h, true, err
		}
	}
	h, another, err := sl.removeEntry(ctx, h, p)
	if err != nil || stays || another {
		return h, true, err
	}
	h.Generation = max(h.Generation, h.Pending)
	h = h.withoutPending()
	fence := h.fence()
	h = h.doubting("", nil)
	h.Keychain.Removed = fence
	return h, true, sl.writeHead(h)
}

// removeEntry deletes the entry, for which a fence is up, and makes the fence name who was
// given that. ErrInDoubt: it was not seen to go.
func (sl *slot) removeEntry(ctx context.Context, h head, p Probe) (done head, another bool, err error) {
	failed := sl.store.remove(ctx, sl.ID().String())
	h, another = sl.sharpen(ctx, h, p)
	if another {
		err = sl.writeHead(h)
	}
	if err == nil && failed != nil {
		err = fmt.Errorf("%w: the entry was not seen to go", ErrInDoubt)
	}
	return h, another, err
}
