package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/words"
)

// ErrStale: the slot was saved or deleted since the caller read it. Load again.
var ErrStale = errors.New("the slot was changed by another program")

// Save makes v the slot's session and returns once that is durable. In auto mode a
// keychain that fails is no error: the session goes to the file, and Info.Fallback says
// why. On any error the slot holds the old session, or, if only the last write to the disk
// failed, possibly v.
//
// Errors: ErrBusy (try again), ErrInsecure, ErrNewer, ErrTooBig, session.ErrID; in
// keychain mode also ErrUnavailable and ErrInDoubt; anything else is the disk.
func (s *Store) Save(ctx context.Context, id session.ID, v session.Session) (Info, error) {
	info, err := s.changeTo(ctx, id, v, s.openOrMake, func(sl *slot, payload []byte) (Info, error) {
		h, err := sl.headToChange(ctx)
		if err != nil {
			return Info{}, err
		}
		return sl.save(ctx, h, value{payload: payload})
	})
	s.observe("save", info.Backend, err)
	return info, err
}

// SaveOver is Save for a caller that works on what it read: it replaces generation
// (Info.Generation of the Load or save before) and nothing else. So a daemon that
// renews its token never overwrites the session that a recovery put into its slot.
//
// Errors: ErrStale, otherwise as Save.
func (s *Store) SaveOver(ctx context.Context, id session.ID, generation uint64, v session.Session) (Info, error) {
	info, err := s.changeTo(ctx, id, v, s.openSaved, func(sl *slot, payload []byte) (Info, error) {
		return sl.saveOver(ctx, generation, payload)
	})
	s.observe("save", info.Backend, err)
	return info, err
}

// changeTo is the beginning that Save, SaveOver and Promote share. v is encoded before
// anything is touched; the slot is opened by open, and work gets it under its lock, with
// the bytes of v.
func (s *Store) changeTo(
	ctx context.Context, id session.ID, v session.Session,
	open func(session.ID) (*slot, error), work func(sl *slot, payload []byte) (Info, error),
) (info Info, err error) {
	payload, err := v.Encode()
	if err != nil {
		return Info{}, err
	}
	if err := ctx.Err(); err != nil {
		return Info{}, fmt.Errorf("save %s: %w", id, err)
	}
	err = s.change(ctx, id, open, func(sl *slot) (err error) {
		info, err = work(sl, payload)
		return err
	})
	return info, err
}

// openSaved opens a slot that the caller has read. One that is gone by now is ErrStale.
func (s *Store) openSaved(id session.ID) (*slot, error) {
	sl, err := s.open(id)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("save %s: %w", id, ErrStale)
	}
	return sl, err
}

// saveOver saves if the slot still has the generation that the caller read. The caller may
// have read the pending one: a Load returns it once the keychain shows it.
func (sl *slot) saveOver(ctx context.Context, generation uint64, payload []byte) (Info, error) {
	h, _, err := sl.readHead()
	if errors.Is(err, errNoHead) {
		return Info{}, fmt.Errorf("save %s: %w", sl.ID(), ErrStale)
	}
	if err != nil {
		return Info{}, err
	}
	if h.Tombstone || generation == 0 || generation != h.Generation && generation != h.Pending {
		return Info{}, fmt.Errorf("save %s over generation %d, found %d: %w", sl.ID(), generation, h.Generation, ErrStale)
	}
	if generation == h.Generation {
		// The caller read what was there before a promotion that was cut off. That promotion
		// has not happened for this caller, and its repetition must still save (ADR 11).
		h.PendingPromoted = ""
	}
	return sl.save(ctx, h, value{payload: payload})
}

// save makes v the next generation after h: in the keychain if that works, and else in the
// file. It numbers v. The caller holds the lock.
func (sl *slot) save(ctx context.Context, h head, v value) (Info, error) {
	if !sl.store.keychainFor(sl.ID()) {
		return sl.commitToFile(h, v, "")
	}
	h, failure, err := sl.saveToKeychain(ctx, h, v)
	if err != nil {
		return Info{}, err
	}
	if failure == nil {
		return sl.store.infoOf(h, sl.store.cfg.Now()), nil
	}
	if sl.store.cfg.Mode == words.ModeKeychain {
		return Info{}, fmt.Errorf("save %s: %w", sl.ID(), failure.err)
	}
	return sl.commitToFile(h, v, failure.reason)
}
