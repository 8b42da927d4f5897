package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/words"
)

// Promote makes the session of a pending slot that of id: v is saved under id, then
// the pending slot is removed. It may stop anywhere and be repeated: a slot takes a pending
// slot once, so what became of the session since (renewed, replaced) is not undone
// (ADR 11).
//
// Errors: ErrNoSession: nothing was saved, because id took the pending slot before and
// was deleted since, or because the pending slot is gone: dropped, or taken so long ago
// that id does not remember it. ErrInDoubt, for a pending slot that is gone: an earlier call
// may still have saved it; Reconcile, then repeat. Otherwise as Save, before which nothing
// changed; if only the removal of the pending slot failed, Info is that of the saved
// session and the call is to be repeated.
func (s *Store) Promote(ctx context.Context, pending, id session.ID, v session.Session) (Info, error) {
	info, err := s.promote(ctx, pending, id, v)
	s.observe("promote", info.Backend, err)
	return info, err
}

func (s *Store) promote(ctx context.Context, pending, id session.ID, v session.Session) (Info, error) {
	if !pending.IsPending() || id.IsPending() || id.IsZero() {
		return Info{}, fmt.Errorf("promote %s to %s: %w", pending, id, session.ErrID)
	}
	info, err := s.saveOnce(ctx, pending, id, v)
	if err != nil && !errors.Is(err, ErrNoSession) {
		return Info{}, err
	}
	if err := s.removePending(ctx, pending); err != nil {
		return info, err
	}
	return info, err
}

// saveOnce saves v under id unless id has taken the pending slot before. Where the pending
// slot is gone, id is not made for it.
func (s *Store) saveOnce(ctx context.Context, pending, id session.ID, v session.Session) (Info, error) {
	gone := false
	open := func(id session.ID) (*slot, error) {
		if gone = s.pendingGone(pending); !gone {
			return s.openOrMake(id)
		}
		sl, err := s.open(id)
		if errors.Is(err, fs.ErrNotExist) {
			err = errGone(pending, ErrNoSession)
		}
		return sl, err
	}
	return s.changeTo(ctx, id, v, open, func(sl *slot, payload []byte) (Info, error) {
		return sl.saveOnce(ctx, pending, gone, payload)
	})
}

// saveOnce is the part under the lock.
func (sl *slot) saveOnce(ctx context.Context, pending session.ID, gone bool, payload []byte) (Info, error) {
	h, err := sl.headToChange(ctx)
	cutOff := h.PendingPromoted == pending.String() && h.Where == words.BackendKeychain
	if err == nil && cutOff {
		h, err = sl.finishPromotion(ctx, h)
	}
	switch {
	case err != nil:
		return Info{}, err
	case h.hasTaken(pending):
		return sl.takenBefore(h)
	case gone && cutOff:
		return Info{}, errGone(pending, ErrInDoubt)
	case gone:
		return Info{}, errGone(pending, ErrNoSession)
	}
	return sl.save(ctx, h, value{payload: payload, promoted: pending.String()})
}

func errGone(pending session.ID, cause error) error {
	return fmt.Errorf("the pending slot %s is gone: %w", pending, cause)
}

// pendingGone reports whether nothing is left of a pending slot. One that cannot be read is
// not gone. If it is gone, nothing is saved: either id took it, and may not remember that
// any more, or it was dropped.
func (s *Store) pendingGone(pending session.ID) bool {
	sl, err := s.open(pending)
	if err == nil {
		defer sl.Close()
		_, _, err = sl.readHead()
	}
	return errors.Is(err, errNoHead) || errors.Is(err, fs.ErrNotExist)
}

// finishPromotion commits a promotion that was cut off after the keychain took the session.
// If the keychain does not show it, the head stays as it is, and the session is saved anew.
func (sl *slot) finishPromotion(ctx context.Context, h head) (head, error) {
	s := sl.store
	if !s.keychainFor(sl.ID()) || !s.probeNow(ctx).State.Readable() {
		return h, nil
	}
	if v, err := s.entry(ctx, sl.ID()); err != nil || !h.holdsPending(v) {
		return h, nil
	}
	h = h.withPendingCommitted()
	return h, sl.writeHead(h)
}

// takenBefore answers for a promotion that is repeated. It syncs what it found: the process
// that wrote it may have died before it could do that.
func (sl *slot) takenBefore(h head) (Info, error) {
	if err := sl.Sync(); err != nil {
		return Info{}, err
	}
	if h.Tombstone {
		return Info{}, fmt.Errorf("slot %s was deleted: %w", sl.ID(), ErrNoSession)
	}
	_, at, err := sl.readHead()
	return sl.store.infoOf(h, at), err
}

// removePending removes a pending slot and all in it. It is no error if the slot is gone.
func (s *Store) removePending(ctx context.Context, id session.ID) error {
	sl, err := s.open(id)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer sl.Close()
	return sl.RemoveAll(ctx)
}

// HoldRun takes the run lock of an existing slot for as long as the caller works with it:
// a daemon for its life, a pairing for its pending slot. It does not wait. ErrBusy: another
// process works with the slot. fs.ErrNotExist: no such slot.
func (s *Store) HoldRun(id session.ID) (release func(), err error) {
	sl, err := s.open(id)
	if err != nil {
		return nil, err
	}
	defer sl.Close()
	lock, err := sl.HoldRun()
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("slot %s: %w", id, fs.ErrNotExist)
	}
	if err != nil {
		return nil, err
	}
	return func() {
		_ = lock.Close() // nothing was written
		s.finishRemoval(id)
	}, nil
}

// finishRemoval removes what is left of a removed pending slot whose directory could not be
// removed while its run lock was held, as on NFS.
func (s *Store) finishRemoval(id session.ID) {
	if !id.IsPending() || !s.pendingGone(id) {
		return
	}
	if err := s.removePending(context.Background(), id); err != nil {
		s.cfg.Logger.Debug("the directory of a removed pairing stays", "session_id", id.String(), "error", err)
	}
}
