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
	info, err := s.changeTo(ctx, id, v, s.openSaved, func(sl *slot, payload []byte) (Info, error) {
		return sl.putOver(ctx, generation, payload)
	})
	s.observe("save", info.Backend, err)
	return info, err
}

// openSaved is open for a caller that has read the slot: one that is gone is ErrStale.
func (s *Store) openSaved(id session.ID) (*slot, error) {
	sl, err := s.open(id)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("save %s: %w", id, ErrStale)
	}
	return sl, err
}

// putOver is put if the slot still has the generation that the caller read.
func (sl *slot) putOver(ctx context.Context, generation uint64, payload []byte) (Info, error) {
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
		h.PendingPromoted = "" // the caller read what was before it: it is still to come
	}
	return sl.put(ctx, h, payload)
}
