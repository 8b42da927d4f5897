package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/agentkeys/agentkeys/internal/atomicfile"
	"github.com/agentkeys/agentkeys/internal/session"
)

// Promote makes the session of a pending slot that of id: v is saved under id, then
// the pending slot goes. It may stop anywhere and be repeated: id takes a pending slot
// once, so what became of the session meanwhile (renewed, replaced) is not undone.
//
// Errors: ErrNoSession: nothing was saved, because id took the pending slot before and
// was deleted since, or because the pending slot is gone: dropped, or taken so long ago
// that id has forgotten it. ErrInDoubt, for a slot that is gone: an earlier call may
// still have saved it; Reconcile, then repeat. Otherwise as Save, before which nothing
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
	info, err := s.take(ctx, pending, id, v)
	if err != nil && !errors.Is(err, ErrNoSession) {
		return Info{}, err
	}
	if err := s.removePending(ctx, pending); err != nil {
		return info, err
	}
	return info, err
}

// take saves v under id unless id has taken the pending slot before.
func (s *Store) take(ctx context.Context, pending, id session.ID, v session.Session) (Info, error) {
	payload, err := v.Encode()
	if err != nil {
		return Info{}, err
	}
	if err := ctx.Err(); err != nil {
		return Info{}, fmt.Errorf("promote %s: %w", pending, err)
	}
	t, gone, err := s.slotFor(pending, id)
	if err != nil {
		return Info{}, err
	}
	defer t.close()
	unlock, err := t.lock(ctx)
	if err != nil {
		return Info{}, err
	}
	defer unlock()
	return t.fill(ctx, pending, gone, payload)
}

// slotFor opens id, and makes it unless the pending slot is gone: then nothing comes.
func (s *Store) slotFor(pending, id session.ID) (t *slot, gone bool, err error) {
	if !s.pendingGone(pending) {
		t, err = s.makeSlot(id)
		return t, false, err
	}
	if t, err = s.openSlot(id); errors.Is(err, fs.ErrNotExist) {
		err = errGone(pending, ErrNoSession)
	}
	return t, true, err
}

// fill is take under the lock.
func (t *slot) fill(ctx context.Context, pending session.ID, gone bool, payload []byte) (Info, error) {
	h, err := t.headToChange(ctx)
	cutOff := h.PendingPromoted == pending.String() && h.Where == BackendKeychain
	if err == nil && cutOff {
		h, err = t.finish(ctx, h)
	}
	switch {
	case err != nil:
		return Info{}, err
	case h.took(pending):
		return t.tookBefore(h)
	case gone && cutOff:
		return Info{}, errGone(pending, ErrInDoubt)
	case gone:
		return Info{}, errGone(pending, ErrNoSession)
	}
	t.promoting = pending.String()
	return t.put(ctx, h, payload)
}

func errGone(pending session.ID, cause error) error {
	return fmt.Errorf("the pending slot %s is gone: %w", pending, cause)
}

// pendingGone: nothing is left of a pending slot; one that cannot be read is not gone.
// Whatever became of it, nothing is saved then: id took it, and may have forgotten that
// since, or it was dropped.
func (s *Store) pendingGone(pending session.ID) bool {
	t, err := s.openSlot(pending)
	if err == nil {
		defer t.close()
		_, _, err = t.readHead()
	}
	return errors.Is(err, errNoHead) || errors.Is(err, fs.ErrNotExist)
}

// finish ends a promotion that was cut off after the keychain took the session. If the
// keychain does not show it, all stays as it is and the session is saved anew.
func (t *slot) finish(ctx context.Context, h head) (head, error) {
	s := t.store
	if !s.keychainFor(t.id) || !s.probeNow(ctx).State.Readable() {
		return h, nil
	}
	if v, err := s.entry(ctx, t.id); err != nil || !h.holdsPending(v) {
		return h, nil
	}
	h = h.landed()
	return h, t.writeHead(h)
}

// tookBefore makes durable what was found: its writer may have died before.
func (t *slot) tookBefore(h head) (Info, error) {
	if err := t.syncDir(); err != nil {
		return Info{}, err
	}
	if h.Tombstone {
		return Info{}, fmt.Errorf("slot %s was deleted: %w", t.id, ErrNoSession)
	}
	_, at, err := t.readHead()
	return t.store.infoOf(h, at), err
}

// syncDir makes the present entries of the slot durable, whoever wrote them.
func (t *slot) syncDir() error {
	if err := t.dir.Sync(); err != nil {
		return fmt.Errorf("sync %s: %w", t.path, err)
	}
	return nil
}

// removePending removes a pending slot and all in it. It is no error if the slot is gone.
func (s *Store) removePending(ctx context.Context, id session.ID) error {
	t, err := s.openSlot(id)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer t.close()
	unlock, err := t.lock(ctx)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // removed while we waited
	}
	if err != nil {
		return err
	}
	return t.removeAll(unlock)
}

// removeAll removes a pending slot under its locks, and ends them by release. What holds
// secrets goes first and durably, the head last of it: so a slot is whole or is none, and
// an error means that it is whole. What then stays is no slot, and no error: NFS keeps a
// file that is open, our lock files too, and the directory with it. Whoever releases the
// slot's run lock tries again, and collect does a day later.
func (t *slot) removeAll(release func()) error {
	err := t.removeSecrets()
	if err == nil {
		err = t.removeLocks()
		release()
		if err != nil {
			err = t.removeLocks()
		}
		if err != nil {
			t.store.cfg.Logger.Debug("the directory of a removed pairing stays", "session_id", t.id.String(), "error", err)
		}
		return nil
	}
	release()
	return err
}

func (t *slot) removeSecrets() error {
	names, err := t.dir.Names()
	if err != nil {
		return fmt.Errorf("list %s: %w", t.path, err)
	}
	for _, name := range names {
		if name == lockName || name == runLockName || name == headName || atomicfile.IsSilly(name) {
			continue
		}
		if err := t.removeFile(name); err != nil {
			return err
		}
	}
	if err := t.removeFile(headName); err != nil {
		return err
	}
	return t.syncDir()
}

// removeLocks removes what is left of the slot; the lock goes last, and the directory at
// once after it, so that nobody else begins to use it.
func (t *slot) removeLocks() error {
	for _, name := range []string{runLockName, lockName} {
		if err := t.removeFile(name); err != nil {
			return err
		}
	}
	return t.removeDir()
}

func (t *slot) removeFile(name string) error {
	if err := t.dir.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s: %w", t.path, err)
	}
	return nil
}

func (t *slot) removeDir() error {
	home, _, err := t.store.openHome()
	if err != nil {
		return err
	}
	defer func() { _ = home.Close() }() // synced below
	if err := home.Remove(t.id.String()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove %s: %w", t.path, err)
	}
	if err := home.Sync(); err != nil {
		return fmt.Errorf("sync %s: %w", t.store.cfg.Home, err)
	}
	return nil
}
