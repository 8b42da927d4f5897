package slotdir

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/agentkeys/agentkeys/internal/atomicfile"
	"github.com/agentkeys/agentkeys/internal/words"
)

const (
	// runLockName is the file whose lock a program holds as long as it works with the slot.
	// The lock of words.FileLock is held while one call changes the slot.
	runLockName = ".run.lock"

	lockTimeout  = 5 * time.Second
	maxLockPause = 50 * time.Millisecond // between two tries
)

// Locked runs work while it holds the slot's lock, after it removed what an interrupted
// write left behind. ErrBusy: the lock was not free within 5 s, or before ctx ended; work
// did not run. fs.ErrNotExist: the slot was removed while this call waited. Any other error
// is work's, or the disk's.
func (s *Slot) Locked(ctx context.Context, work func() error) error {
	unlock, err := s.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	return work()
}

// CleanUp removes what an interrupted write left behind, and takes the lock only if there
// is something: a file that was not finished may hold the session.
func (s *Slot) CleanUp(ctx context.Context) error {
	left, err := atomicfile.HasLeftovers(s.dir)
	if err != nil || !left {
		return err
	}
	return s.Locked(ctx, func() error { return nil })
}

// lock is Locked for work that ends the lock itself.
func (s *Slot) lock(ctx context.Context) (unlock func(), err error) {
	lock, err := s.waitLock(ctx)
	if err != nil {
		return nil, err
	}
	unlock = func() { _ = lock.Close() } // nothing was written; a second call does no harm
	if err := atomicfile.Clean(s.dir); err != nil {
		unlock()
		return nil, fmt.Errorf("%s: %w", s.path, err)
	}
	return unlock, nil
}

// waitLock tries again and again, because flock has no deadline of its own.
func (s *Slot) waitLock(ctx context.Context) (io.Closer, error) {
	deadline := time.NewTimer(lockTimeout)
	defer deadline.Stop()
	for pause := time.Millisecond; ; pause = min(2*pause, maxLockPause) {
		lock, err := s.tryLock(words.FileLock)
		if !errors.Is(err, ErrBusy) {
			return lock, err
		}
		if ctx.Err() != nil {
			return nil, fmt.Errorf("%w: %w", err, ctx.Err())
		}
		timer := time.NewTimer(pause)
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

// TryLocked is Locked without waiting, and without removing left-over files: ErrBusy if
// the lock is taken.
func (s *Slot) TryLocked(work func() error) error {
	lock, err := s.tryLock(words.FileLock)
	if err != nil {
		return err
	}
	defer func() { _ = lock.Close() }() // closing a read-only file
	return work()
}

// HoldRun takes the run lock and does not wait: ErrBusy where another process works with
// the slot. The lock lasts until it is closed, longer than the Slot is open.
func (s *Slot) HoldRun() (io.Closer, error) { return s.tryLock(runLockName) }

func (s *Slot) tryLock(name string) (io.Closer, error) {
	path := filepath.Join(s.path, name)
	if info, err := s.dir.Lstat(name); err == nil {
		if err := s.home.checkFile(path, info, s.info); err != nil {
			return nil, err
		}
	}
	lock, err := s.dir.Lock(name)
	if errors.Is(err, atomicfile.ErrLocked) {
		return nil, fmt.Errorf("%s: %w", path, ErrBusy)
	}
	if err != nil {
		return nil, s.home.pathError(path, s.info, err)
	}
	return lock, nil
}
