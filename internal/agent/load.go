package agent

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/store"
	"github.com/agentkeys/agentkeys/internal/words"
)

// load reads the slot once and makes the outcome the state of the daemon. other reports
// that another session is in memory than before, of which no cache was read yet. Errors end
// the daemon: store.ErrNoSession, store.ErrBusy for a second daemon.
func (s *slot) load(ctx context.Context) (other bool, err error) {
	if err := s.hold(); err != nil {
		return false, err
	}
	seen, _ := s.entry() // before the load: a save after it is one to be noticed
	kept, info, err := s.store.Load(ctx, s.id)
	if err == nil {
		if err := s.hold(); err != nil { // an adopted session made the directory just now
			return false, err
		}
		return s.adopt(kept, info, seen.Generation), nil
	}
	if errors.Is(err, store.ErrNoSession) || ctx.Err() != nil {
		return false, err
	}
	s.notLoaded(err)
	s.followSettings()
	return false, nil
}

// hold takes the run lock once the slot's directory exists.
func (s *slot) hold() error {
	if s.release != nil {
		return nil
	}
	release, err := s.store.HoldRun(s.id)
	switch {
	case err == nil:
		s.release = release
	case errors.Is(err, store.ErrBusy):
		return fmt.Errorf("another daemon runs for wallet %s: %w", s.wallet, store.ErrBusy)
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, store.ErrInsecure):
		// Load says what is the matter.
	default:
		s.logger.Warn("run lock not taken", "error", err)
	}
	return nil
}

// close gives the run lock back.
func (s *slot) close() {
	if s.release != nil {
		s.release()
		s.release = nil
	}
}

// notLoaded names why there is no session. What is in memory is served on.
func (s *slot) notLoaded(err error) {
	phase, reason := words.StateBlocked, err.Error()
	switch {
	case errors.Is(err, store.ErrUnavailable):
		phase, reason = words.StateWaitingForKeychain, "waiting for the keychain: "+keychainDetail(err)
	case errors.Is(err, store.ErrBusy):
		phase, reason = words.StateStarting, "the slot is in use by another program"
	}
	s.noteLoad(err)
	s.setWaiting(phase == words.StateWaitingForKeychain)
	if s.unread = s.loaded(); s.unread {
		return
	}
	s.view.change(func(f *facts) { f.phase, f.reason = phase, reason })
	s.observer.StorageBackend(words.BackendNone)
}

func (s *slot) setWaiting(waiting bool) {
	if s.keychain != nil {
		s.keychain.SetWaiting(waiting)
	}
}

// adopt makes a loaded session the one in memory, with everything in it: token, keys,
// owner and broker. Another device key than the one in memory is another session:
// nothing of the old one is kept.
func (s *slot) adopt(kept session.Session, info store.Info, head uint64) (other bool) {
	s.noteLoad(nil)
	s.setWaiting(false)
	kept, at := s.keptAt(kept)
	old, _ := s.snapshot()
	other = !s.loaded() || !old.DeviceKey.Equal(kept.DeviceKey)
	s.unread = false
	dialed := s.connect(at, func() {
		s.session, s.token, s.info, s.head = kept, kept.Token, info, head
	}, func(f *facts) {
		f.session, f.loaded, f.parked = factsOf(kept, info), true, false
		if other {
			f.forget(time.Now())
		}
	})
	if !dialed {
		return false
	}
	s.noteInfo(info)
	s.noteSession(kept)
	return other
}
