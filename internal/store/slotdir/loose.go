package slotdir

import (
	"io/fs"
	"path/filepath"
)

// ReadLoose returns a file of the home itself, outside every slot, under the checks of a
// slot's file. Earlier versions kept sessions there. fs.ErrNotExist: there is none, or the
// name is a directory's. Otherwise as Slot.Read.
func (h *Home) ReadLoose(name string, limit int64) ([]byte, error) {
	home, info, err := h.open()
	if err != nil {
		return nil, err
	}
	defer func() { _ = home.Close() }() // read only
	if i, err := home.Lstat(name); err != nil || i.Mode.IsDir() {
		return nil, fs.ErrNotExist
	}
	if h.euid != 0 {
		info.UID = h.euid // the file is this user's even in a home of root's
	}
	data, _, err := h.read(home, info, h.LoosePath(name), name, limit)
	return data, err
}

// LoosePath is the path of such a file.
func (h *Home) LoosePath(name string) string { return filepath.Join(h.cfg.Home, name) }

// RemoveLoose removes such a file, durably.
func (h *Home) RemoveLoose(name string) error {
	home, _, err := h.open()
	if err != nil {
		return err
	}
	defer func() { _ = home.Close() }() // synced below
	if err := home.Remove(name); err != nil {
		return err
	}
	return home.Sync()
}
