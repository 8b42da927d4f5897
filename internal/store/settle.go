package store

import (
	"context"
	"errors"
	"fmt"
)

// settleTombstone finishes a delete, unless the keychain shows something newer. It
// is finished when a look finds nothing: one after a delete proves less, as some
// failures of a client hide an entry and "delete" it in the same breath.
func (sl *slot) settleTombstone(ctx context.Context, h head, p Probe) (head, error) {
	standing := sl.standing(h.fence(), p)
	if !p.State.Writable() || standing && !sl.store.mayLook(sl.ID()) {
		return h, nil
	}
	if _, err := sl.notNewer(ctx, h); err != nil {
		return h, err
	}
	h, found, err := sl.clear(ctx, h, p)
	if err != nil || found || standing {
		return h, err
	}
	h.Generation = max(h.Generation, h.Pending)
	h = h.withoutPending()
	h.Keychain = nil
	return h, sl.writeHead(h)
}

// settleInKeychain ends a save that was cut off, now that its write can no longer
// land: the keychain has the pending value or still the old one.
func (sl *slot) settleInKeychain(ctx context.Context, h head) (head, error) {
	v, err := sl.store.entry(ctx, sl.ID())
	switch {
	case errors.Is(err, ErrUnavailable):
		return h, err
	case err == nil && h.holdsPending(v):
		h = h.landed()
	case err == nil && h.holds(v):
	case h.Generation == 0 && errors.Is(err, ErrKeychainAbsent):
		return sl.giveUpFirst(h)
	case h.Generation == 0 && err == nil && v.generation == 0:
		return h, nil // another program's: Load adopts it
	default:
		return h, fmt.Errorf("slot %s, generation %d: %w", sl.ID(), h.Generation, ErrInconsistent)
	}
	h = h.withoutPending()
	h = h.doubting("", nil)
	return h, sl.writeHead(h)
}

// giveUpFirst buries the intent of a first save that never happened, so that its
// generation is not used again. A corrupt head that was set aside stays in force.
func (sl *slot) giveUpFirst(h head) (head, error) {
	if err := sl.absentHead(); !errors.Is(err, errNoHead) {
		return h, nil
	}
	tomb := head{
		Version: headVersion, ID: sl.ID().String(), Generation: h.next(),
		Where: BackendFile, Tombstone: true,
	}
	return tomb, sl.writeHead(tomb)
}

// takeDown ends the fence of a session in the file. Its generation goes above the
// burnt one, which may be in the keychain.
func (sl *slot) takeDown(ctx context.Context, h head) (head, error) {
	if _, err := sl.notNewer(ctx, h); err != nil {
		return h, err
	}
	if h.Pending != 0 {
		h.Generation = h.next()
		h = h.withoutPending()
	}
	h = h.doubting("", nil)
	sl.store.cfg.Logger.Info("write in doubt is over", "session_id", sl.ID().String())
	return h, sl.writeHead(h)
}

// notNewer returns ErrInconsistent if the keychain shows a generation that this
// head never heard of, and whether it shows anything at all.
func (sl *slot) notNewer(ctx context.Context, h head) (shows bool, err error) {
	v, err := sl.store.entry(ctx, sl.ID())
	switch {
	case errors.Is(err, ErrKeychainAbsent):
		return false, nil
	case errors.Is(err, ErrUnavailable):
		return false, err
	case v.generation > max(h.Generation, h.Pending):
		return true, fmt.Errorf("slot %s: the keychain shows generation %d: %w", sl.ID(), v.generation, ErrInconsistent)
	}
	return true, nil
}

// removeBurnt takes a late write out of the keychain. The fence stays up: the
// delete is another write to the same provider.
func (sl *slot) removeBurnt(ctx context.Context, h head, p Probe) (head, error) {
	if !p.State.Writable() || !sl.store.mayLook(sl.ID()) {
		return h, nil
	}
	shows, err := sl.notNewer(ctx, h)
	if err != nil || !shows {
		return h, err
	}
	if h, _, err = sl.removeEntry(ctx, h, p); err != nil {
		return h, fmt.Errorf("remove late write to %s: %w", sl.ID(), err)
	}
	sl.store.cfg.Logger.Info("late write removed from the keychain", "session_id", sl.ID().String())
	return h, nil
}

// move puts a session from the file into the keychain. When that fails, a new
// generation of the same session goes to the file and the fence stands; when only the look
// before it failed, nothing was put and the file stays.
func (sl *slot) move(ctx context.Context, h head) (head, error) {
	moved, failed, err := sl.putKeychain(ctx, h, h.Payload)
	if err != nil || failed == nil {
		return moved, err
	}
	if moved.Pending == h.Pending && !failed.looked {
		return h, nil // not tried: too big, or locked this very moment
	}
	if sl.store.cfg.Mode == ModeAuto && !failed.looked {
		if _, err := sl.commitFile(moved, moved.next(), h.Payload, failed.reason); err != nil {
			return moved, err
		}
	}
	return moved, fmt.Errorf("move %s to the keychain (%s): %w", sl.ID(), failed.reason, failed.err)
}
