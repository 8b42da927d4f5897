package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/agentkeys/agentkeys/internal/words"
)

// finishDelete clears the keychain of a slot with a tombstone, unless the keychain shows
// something newer. The delete is finished when a call finds nothing there that has not
// deleted anything itself: the look right after a delete proves less, because some clients
// that fail hide an entry, and say in the same moment that it was deleted.
func (sl *slot) finishDelete(ctx context.Context, h head, p Probe) (head, error) {
	standing := sl.standing(h.fence(), p)
	if !p.State.Writable() || standing && !sl.store.maySearch(sl.ID()) {
		return h, nil
	}
	if _, err := sl.refuseNewer(ctx, h); err != nil {
		return h, err
	}
	h, found, err := sl.clearKeychain(ctx, h, p)
	if err != nil || found || standing {
		return h, err
	}
	h.Generation = max(h.Generation, h.Pending)
	h = h.withoutPending()
	h.Keychain = nil
	return h, sl.writeHead(h)
}

// finishSave ends a save that was cut off, now that its put can no longer take effect: the
// keychain has the pending value or still the old one, and the head commits the one that is
// there.
func (sl *slot) finishSave(ctx context.Context, h head) (head, error) {
	v, err := sl.store.entry(ctx, sl.ID())
	switch {
	case errors.Is(err, ErrUnavailable):
		return h, err
	case err == nil && h.holdsPending(v):
		h = h.withPendingCommitted()
	case err == nil && h.holds(v):
	case h.Generation == 0 && errors.Is(err, ErrKeychainAbsent):
		return sl.abandonFirst(h)
	case h.Generation == 0 && err == nil && v.generation == 0:
		return h, nil // another program's: Load adopts it
	default:
		return h, fmt.Errorf("slot %s, generation %d: %w", sl.ID(), h.Generation, ErrInconsistent)
	}
	h = h.withoutPending()
	h = h.withFence("", nil)
	return h, sl.writeHead(h)
}

// abandonFirst gives up the first save of a slot, whose put did not take effect. A tombstone
// keeps its generation from being used again. A corrupt head that was set aside stays in
// force.
func (sl *slot) abandonFirst(h head) (head, error) {
	if err := sl.absentHead(); !errors.Is(err, errNoHead) {
		return h, nil
	}
	tomb := head{
		Version: headVersion, ID: sl.ID().String(), Generation: h.next(),
		Where: words.BackendFile, Tombstone: true,
	}
	return tomb, sl.writeHead(tomb)
}

// removeFence ends the fence of a session in the file. Its generation becomes higher than
// the abandoned one, which may be in the keychain.
func (sl *slot) removeFence(ctx context.Context, h head) (head, error) {
	if _, err := sl.refuseNewer(ctx, h); err != nil {
		return h, err
	}
	if h.Pending != 0 {
		h.Generation = h.next()
		h = h.withoutPending()
	}
	h = h.withFence("", nil)
	sl.store.cfg.Logger.Info("write in doubt is over", "session_id", sl.ID().String())
	return h, sl.writeHead(h)
}

// refuseNewer returns ErrInconsistent if the keychain shows a generation above all that
// this head knows of, and otherwise whether it shows anything.
func (sl *slot) refuseNewer(ctx context.Context, h head) (shows bool, err error) {
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

// removeAbandoned removes an abandoned generation from the keychain whose put took effect
// late. The fence stays: the delete is another operation of the same provider.
func (sl *slot) removeAbandoned(ctx context.Context, h head, p Probe) (head, error) {
	if !p.State.Writable() || !sl.store.maySearch(sl.ID()) {
		return h, nil
	}
	shows, err := sl.refuseNewer(ctx, h)
	if err != nil || !shows {
		return h, err
	}
	if h, _, err = sl.deleteFenced(ctx, h, p); err != nil {
		return h, fmt.Errorf("remove late write to %s: %w", sl.ID(), err)
	}
	sl.store.cfg.Logger.Info("late write removed from the keychain", "session_id", sl.ID().String())
	return h, nil
}

// moveToKeychain saves a session that is in the file to the keychain. Where the put failed,
// the same session goes to the file with a new generation, and the fence stands; where
// nothing was put, the file stays as it is.
func (sl *slot) moveToKeychain(ctx context.Context, h head) (head, error) {
	v := value{payload: h.Payload}
	moved, failure, err := sl.saveToKeychain(ctx, h, v)
	switch {
	case err != nil || failure == nil:
		return moved, err
	case !failure.announced && !failure.rechecked:
		return h, nil // too big, or the keychain was locked a moment ago
	case failure.announced && sl.store.cfg.Mode == words.ModeAuto:
		if _, err := sl.commitToFile(moved, v, failure.reason); err != nil {
			return moved, err
		}
	}
	return moved, fmt.Errorf("move %s to the keychain (%s): %w", sl.ID(), failure.reason, failure.err)
}
