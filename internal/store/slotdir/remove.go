package slotdir

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/agentkeys/agentkeys/internal/atomicfile"
	"github.com/agentkeys/agentkeys/internal/words"
)

// RemoveAll removes the slot with its directory. One that another process removes at the
// same time is no error. An error means that the slot is whole: what holds secrets is
// removed first, the head last of it, and all of that is durable before locks and directory
// go. These may stay, which is no error either: NFS keeps a file that is open under another
// name until it is closed, and the directory with it.
func (s *Slot) RemoveAll(ctx context.Context) error {
	unlock, err := s.lock(ctx)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // removed while we waited
	}
	if err != nil {
		return err
	}
	return s.removeAll(unlock)
}

// RemoveUnused is RemoveAll for a slot that no program works with: it leaves one whose run
// lock is taken, and one for which unused, asked again under both locks, is false. removed
// is true only if this call removed the slot.
func (s *Slot) RemoveUnused(ctx context.Context, unused func() (bool, error)) (removed bool, err error) {
	run, err := s.tryLock(runLockName)
	if errors.Is(err, ErrBusy) || errors.Is(err, fs.ErrNotExist) {
		return false, nil // in use, or removed by another process
	}
	if err != nil {
		return false, err
	}
	defer func() { _ = run.Close() }() // nothing was written; a second call does no harm
	unlock, err := s.lock(ctx)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if is, err := unused(); err != nil || !is {
		unlock()
		return false, err
	}
	err = s.removeAll(func() { unlock(); _ = run.Close() }) // see above
	return err == nil, err
}

// removeAll removes the slot, and ends its locks by release. Where the locks' own files
// cannot be removed, as on NFS while they are open, it tries once more after release.
func (s *Slot) removeAll(release func()) error {
	if err := s.removeContent(); err != nil {
		release()
		return err
	}
	err := s.removeLocks()
	release()
	if err != nil {
		err = s.removeLocks()
	}
	if err != nil {
		s.home.cfg.Logger.Debug("the directory of a removed pairing stays", "session_id", s.id.String(), "error", err)
	}
	return nil
}

// removeContent removes all files but the locks, durably, and the head last: without a head
// the directory is no slot any more.
func (s *Slot) removeContent() error {
	names, err := s.Names()
	if err != nil {
		return err
	}
	for _, name := range names {
		if name == words.FileLock || name == runLockName || name == words.FileHead || atomicfile.IsSilly(name) {
			continue
		}
		if err := s.Remove(name); err != nil {
			return err
		}
	}
	if err := s.Remove(words.FileHead); err != nil {
		return err
	}
	return s.Sync()
}

// removeLocks removes the lock files and then at once the directory, so that no other
// process begins to use it in between.
func (s *Slot) removeLocks() error {
	for _, name := range []string{runLockName, words.FileLock} {
		if err := s.Remove(name); err != nil {
			return err
		}
	}
	home, _, err := s.home.open()
	if err != nil {
		return err
	}
	defer func() { _ = home.Close() }() // synced below
	if err := home.Remove(s.id.String()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove %s: %w", s.path, err)
	}
	if err := home.Sync(); err != nil {
		return fmt.Errorf("sync %s: %w", s.home.cfg.Home, err)
	}
	return nil
}
