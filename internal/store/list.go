package store

import (
	"errors"

	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/store/slotdir"
	"github.com/agentkeys/agentkeys/internal/words"
)

// List tells of every slot that was ever saved, sorted by id, from directories
// alone: the keychain is not asked. A slot that cannot be read is listed with its
// Err. A home that does not exist has no slots.
func (s *Store) List() ([]Slot, error) {
	var slots []Slot
	err := s.home.Each(func(id session.ID, dir *slotdir.Slot, err error) {
		found := Slot{ID: id, Dir: s.Dir(id), Backend: words.BackendNone, Err: err}
		if err == nil {
			h, _, err := (&slot{Slot: dir, store: s}).readHead()
			if errors.Is(err, errNoHead) {
				return
			}
			found.Generation, found.Tombstone, found.Err = h.Generation, h.Tombstone, err
			if err == nil && !h.Tombstone {
				found.Backend = h.Where
			}
		}
		slots = append(slots, found)
	})
	return slots, err
}
