package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/agentkeys/agentkeys/internal/atomicfile"
	"github.com/agentkeys/agentkeys/internal/session"
)

const (
	lockName    = ".lock"
	runLockName = ".run.lock"
	maxLockNap  = 50 * time.Millisecond
)

// waitLock polls: flock has no deadline of its own.
func (t *slot) waitLock(ctx context.Context) (io.Closer, error) {
	deadline := time.NewTimer(lockTimeout)
	defer deadline.Stop()
	for nap := time.Millisecond; ; nap = min(2*nap, maxLockNap) {
		lock, err := t.tryLock(lockName)
		if !errors.Is(err, ErrBusy) {
			return lock, err
		}
		if ctx.Err() != nil {
			return nil, fmt.Errorf("%w: %w", err, ctx.Err())
		}
		timer := time.NewTimer(nap)
		select {
		case <-timer.C:
		case <-deadline.C:
			timer.Stop()
			return nil, err
		case <-ctx.Done():
			timer.Stop() // one more try
		}
	}
}

func (t *slot) tryLock(name string) (io.Closer, error) {
	path := filepath.Join(t.path, name)
	if info, err := t.dir.Lstat(name); err == nil {
		if err := t.store.checkFile(path, info, t.info); err != nil {
			return nil, err
		}
	}
	lock, err := t.dir.Lock(name)
	if errors.Is(err, atomicfile.ErrLocked) {
		return nil, fmt.Errorf("%s: %w", path, ErrBusy)
	}
	if err != nil {
		return nil, t.store.pathError(path, t.info, err)
	}
	return lock, nil
}

// RunLock is the file of HoldRun.
func (s *Store) RunLock(id session.ID) string { return filepath.Join(s.Dir(id), runLockName) }

// HoldRun takes the run lock of an existing slot for as long as the caller works
// with it: a daemon for its life, a pairing for its pending slot. It does not wait.
// ErrBusy: another process works with the slot. fs.ErrNotExist: no such slot.
func (s *Store) HoldRun(id session.ID) (release func(), err error) {
	t, err := s.openSlot(id)
	if err != nil {
		return nil, err
	}
	defer t.close()
	lock, err := t.tryLock(runLockName)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("slot %s: %w", id, fs.ErrNotExist)
	}
	if err != nil {
		return nil, err
	}
	return func() {
		_ = lock.Close() // nothing was written
		s.tidy(id)
	}, nil
}

// tidy finishes the removal of a pending slot whose directory could not go while its run
// lock was held (removeAll).
func (s *Store) tidy(id session.ID) {
	if !id.IsPending() || !s.pendingGone(id) {
		return
	}
	if err := s.removePending(context.Background(), id); err != nil {
		s.cfg.Logger.Debug("the directory of a removed pairing stays", "session_id", id.String(), "error", err)
	}
}
