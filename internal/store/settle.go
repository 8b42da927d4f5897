package store

import (
	"context"
	"errors"
	"fmt"
)

// settleTombstone finishes a delete, unless the keychain shows something newer. It
// is finished when a look finds nothing: one after a delete proves less, as some
// failures of a client hide an entry and "delete" it in the same breath.
func (t *slot) settleTombstone(ctx context.Context, h head, p Probe) (head, error) {
	standing := t.standing(h.fence(), p)
	if !p.State.Writable() || standing && !t.store.mayLook(t.id) {
		return h, nil
	}
	if _, err := t.notNewer(ctx, h); err != nil {
		return h, err
	}
	h, found, err := t.clear(ctx, h, p)
	if err != nil || found || standing {
		return h, err
	}
	h.Generation = max(h.Generation, h.Pending)
	h = h.withoutPending()
	h.Keychain = nil
	return h, t.writeHead(h)
}

// settleInKeychain ends a save that was cut off, now that its write can no longer
// land: the keychain has the pending value or still the old one.
func (t *slot) settleInKeychain(ctx context.Context, h head) (head, error) {
	v, err := t.store.entry(ctx, t.id)
	switch {
	case errors.Is(err, ErrUnavailable):
		return h, err
	case err == nil && h.holdsPending(v):
		h = h.landed()
	case err == nil && h.holds(v):
	case h.Generation == 0 && errors.Is(err, ErrKeychainAbsent):
		return t.giveUpFirst(h)
	case h.Generation == 0 && err == nil && v.generation == 0:
		return h, nil // another program's: Load adopts it
	default:
		return h, fmt.Errorf("slot %s, generation %d: %w", t.id, h.Generation, ErrInconsistent)
	}
	h = h.withoutPending()
	h = h.doubting("", nil)
	return h, t.writeHead(h)
}

// giveUpFirst buries the intent of a first save that never happened, so that its
// generation is not used again. A corrupt head that was set aside stays in force.
func (t *slot) giveUpFirst(h head) (head, error) {
	if err := t.absentHead(); !errors.Is(err, errNoHead) {
		return h, nil
	}
	tomb := head{
		Version: headVersion, ID: t.id.String(), Generation: h.next(),
		Where: BackendFile, Tombstone: true,
	}
	return tomb, t.writeHead(tomb)
}

// takeDown ends the fence of a session in the file. Its generation goes above the
// burnt one, which may be in the keychain.
func (t *slot) takeDown(ctx context.Context, h head) (head, error) {
	if _, err := t.notNewer(ctx, h); err != nil {
		return h, err
	}
	if h.Pending != 0 {
		h.Generation = h.next()
		h = h.withoutPending()
	}
	h = h.doubting("", nil)
	t.store.cfg.Logger.Info("write in doubt is over", "session_id", t.id.String())
	return h, t.writeHead(h)
}

// notNewer returns ErrInconsistent if the keychain shows a generation that this
// head never heard of, and whether it shows anything at all.
func (t *slot) notNewer(ctx context.Context, h head) (shows bool, err error) {
	v, err := t.store.entry(ctx, t.id)
	switch {
	case errors.Is(err, ErrKeychainAbsent):
		return false, nil
	case errors.Is(err, ErrUnavailable):
		return false, err
	case v.generation > max(h.Generation, h.Pending):
		return true, fmt.Errorf("slot %s: the keychain shows generation %d: %w", t.id, v.generation, ErrInconsistent)
	}
	return true, nil
}

// removeBurnt takes a late write out of the keychain. The fence stays up: the
// delete is another write to the same provider.
func (t *slot) removeBurnt(ctx context.Context, h head, p Probe) (head, error) {
	if !p.State.Writable() || !t.store.mayLook(t.id) {
		return h, nil
	}
	shows, err := t.notNewer(ctx, h)
	if err != nil || !shows {
		return h, err
	}
	if h, _, err = t.removeEntry(ctx, h, p); err != nil {
		return h, fmt.Errorf("remove late write to %s: %w", t.id, err)
	}
	t.store.cfg.Logger.Info("late write removed from the keychain", "session_id", t.id.String())
	return h, nil
}

// move puts a session from the file into the keychain. When that fails, a new
// generation of the same session goes to the file and the fence stands; when only the look
// before it failed, nothing was put and the file stays.
func (t *slot) move(ctx context.Context, h head) (head, error) {
	moved, failed, err := t.putKeychain(ctx, h, h.Payload)
	if err != nil || failed == nil {
		return moved, err
	}
	if moved.Pending == h.Pending && !failed.looked {
		return h, nil // not tried: too big, or locked this very moment
	}
	if t.store.cfg.Mode == ModeAuto && !failed.looked {
		if _, err := t.commitFile(moved, moved.next(), h.Payload, failed.reason); err != nil {
			return moved, err
		}
	}
	return moved, fmt.Errorf("move %s to the keychain (%s): %w", t.id, failed.reason, failed.err)
}
