package slotdir

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/agentkeys/agentkeys/internal/atomicfile"
	"github.com/agentkeys/agentkeys/internal/session"
)

// Each calls visit for every directory of the home whose name is a session id, sorted by
// name. The slot is open until visit returns; where the checks refuse it, it is nil and err
// says why. A home that does not exist has no slots.
func (h *Home) Each(visit func(id session.ID, s *Slot, err error)) error {
	home, info, err := h.open()
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = home.Close() }() // read only
	names, err := home.Names()
	if err != nil {
		return fmt.Errorf("list %s: %w", h.cfg.Home, err)
	}
	for _, name := range names {
		id, err := session.ParseID(name)
		if err != nil || id.String() != name || !maySlot(home, name) {
			continue
		}
		h.visit(home, info, id, visit)
	}
	return nil
}

func (h *Home) visit(home atomicfile.Dir, info atomicfile.Info, id session.ID, visit func(session.ID, *Slot, error)) {
	s, err := h.openIn(home, info, id)
	if errors.Is(err, fs.ErrNotExist) {
		return // removed since the names were read
	}
	if err == nil {
		defer s.Close()
	}
	visit(id, s, err)
}

// maySlot leaves out regular files, which an earlier version or a person may keep in the
// home. A symbolic link counts as a slot, so that it is named and refused.
func maySlot(home atomicfile.Dir, name string) bool {
	info, err := home.Lstat(name)
	return err == nil && !info.Mode.IsRegular()
}
