package store

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/agentkeys/agentkeys/internal/atomicfile"
	"github.com/agentkeys/agentkeys/internal/session"
)

// List tells of every slot that was ever saved, sorted by id, from directories
// alone: the keychain is not asked. A slot that cannot be read is listed with its
// Err. A home that does not exist has no slots.
func (s *Store) List() ([]Slot, error) {
	var slots []Slot
	err := s.eachSlot(func(id session.ID, t *slot, err error) {
		found := Slot{ID: id, Dir: s.Dir(id), Backend: BackendNone, Err: err}
		if err == nil {
			h, _, err := t.readHead()
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

// eachSlot calls f for every directory that bears a session id, with the reason
// instead of the slot where the checks refuse it.
func (s *Store) eachSlot(f func(session.ID, *slot, error)) error {
	home, info, err := s.openHome()
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = home.Close() }() // read only
	names, err := home.Names()
	if err != nil {
		return fmt.Errorf("list %s: %w", s.cfg.Home, err)
	}
	for _, name := range names {
		id, err := session.ParseID(name)
		if err != nil || id.String() != name || !isSlotName(home, name) {
			continue
		}
		s.eachOne(home, info, id, f)
	}
	return nil
}

func (s *Store) eachOne(home atomicfile.Dir, info atomicfile.Info, id session.ID, f func(session.ID, *slot, error)) {
	t, err := s.openSlotIn(home, info, id)
	if errors.Is(err, fs.ErrNotExist) {
		return // removed meanwhile
	}
	if err == nil {
		defer t.close()
	}
	f(id, t, err)
}

// isSlotName leaves out files, which an earlier version or a person may keep here;
// a link is listed, to be refused by name.
func isSlotName(home atomicfile.Dir, name string) bool {
	i, err := home.Lstat(name)
	return err == nil && !i.Mode.IsRegular()
}
