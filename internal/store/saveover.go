package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/agentkeys/agentkeys/internal/session"
)

// ErrStale: the slot was saved or deleted since the caller read it. Load again.
var ErrStale = errors.New("the slot was changed by another program")

// SaveOver is Save for a caller that works on what it read: it replaces generation
// (Info.Generation of the Load or save before) and nothing else. So a daemon that
// renews its token never writes over the session that a recovery put into its slot.
//
// Errors: ErrStale, otherwise as Save.
func (s *Store) SaveOver(ctx context.Context, id session.ID, generation uint64, v session.Session) (Info, error) {
	info, err := s.saveOver(ctx, id, generation, v)
	s.observe("save", info.Backend, err)
	return info, err
}

func (s *Store) saveOver(ctx context.Context, id session.ID, generation uint64, v session.Session) (Info, error) {
	payload, err := v.Encode()
	if err != nil {
		return Info{}, err
	}
	if err := ctx.Err(); err != nil {
		return Info{}, fmt.Errorf("save %s: %w", id, err)
	}
	t, err := s.openSlot(id)
	if errors.Is(err, fs.ErrNotExist) {
		return Info{}, fmt.Errorf("save %s: %w", id, ErrStale)
	}
	if err != nil {
		return Info{}, err
	}
	defer t.close()
	unlock, err := t.lock(ctx)
	if err != nil {
		return Info{}, err
	}
	defer unlock()
	h, _, err := t.readHead()
	if errors.Is(err, errNoHead) {
		return Info{}, fmt.Errorf("save %s: %w", id, ErrStale)
	}
	if err != nil {
		return Info{}, err
	}
	if h.Tombstone || generation == 0 || generation != h.Generation && generation != h.Pending {
		return Info{}, fmt.Errorf("save %s over generation %d, found %d: %w", id, generation, h.Generation, ErrStale)
	}
	if generation == h.Generation {
		h.PendingPromoted = "" // the caller read what was before it: it is still to come
	}
	return t.put(ctx, h, payload)
}
