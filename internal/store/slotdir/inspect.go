package slotdir

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/agentkeys/agentkeys/internal/atomicfile"
	"github.com/agentkeys/agentkeys/internal/session"
)

// Findings is what Inspect saw of a slot's home, directory and files.
type Findings struct {
	UID      int              // of the directory; -1 where there is none
	Insecure []*InsecureError // every wrong property, each with its command
	Err      error            // why the files cannot be used; nil also where there is no slot
}

// Inspect looks at everything in a slot and changes nothing; it takes no lock. The slot is
// nil where none can be opened, and for the caller to close otherwise. It may be used only
// where Findings.Err is nil.
func (h *Home) Inspect(id session.ID) (*Slot, Findings) {
	f := Findings{UID: -1}
	s := h.inspectDir(id, &f)
	if s == nil {
		return nil, f
	}
	if f.Err = s.inspectFiles(&f); f.Err == nil && len(f.Insecure) > 0 {
		f.Err = f.Insecure[0]
	}
	return s, f
}

// inspectDir opens a slot even where the checks refuse its directory, so that what is wrong
// inside is named too.
func (h *Home) inspectDir(id session.ID, f *Findings) *Slot {
	home, homeInfo, err := h.open()
	if err != nil {
		f.refuse(err)
		return nil
	}
	defer func() { _ = home.Close() }() // read only
	dir, err := home.OpenDir(id.String())
	if err != nil {
		f.refuse(h.refusal(home, homeInfo, id, err))
		return nil
	}
	info, err := dir.Stat()
	if err != nil {
		f.refuse(err)
		_ = dir.Close() // read only
		return nil
	}
	f.UID = info.UID
	// The check stops at the first wrong property. With the mode taken as good it comes to
	// the owner.
	private := info
	private.Mode &^= 0o077
	f.note(h.checkDir(id, info, homeInfo))
	f.note(h.checkDir(id, private, homeInfo))
	return h.slot(id, dir, info)
}

// refuse records why the slot could not be opened. That there is none is no fault.
func (f *Findings) refuse(err error) {
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	f.Err = err
	f.note(err)
}

// note adds err if it is an InsecureError that is not recorded yet.
func (f *Findings) note(err error) {
	var found *InsecureError
	if !errors.As(err, &found) {
		return
	}
	for _, known := range f.Insecure {
		if *known == *found {
			return
		}
	}
	f.Insecure = append(f.Insecure, found)
}

// inspectFiles checks every entry of the directory but sockets, and each property of it by
// itself, so that a person sees everything that is wrong at once.
func (s *Slot) inspectFiles(f *Findings) error {
	names, err := s.dir.Names()
	if err != nil {
		return fmt.Errorf("list %s: %w", s.path, err)
	}
	for _, name := range names {
		info, err := s.dir.Lstat(name)
		if err != nil || info.Mode.Type() == fs.ModeSocket {
			continue // removed since the names were read, or the daemon's socket
		}
		good := atomicfile.Info{Mode: 0o600, UID: s.info.UID, Links: 1}
		mode, owner, links := good, good, good
		mode.Mode, owner.UID, links.Links = info.Mode, info.UID, info.Links
		if !info.Mode.IsRegular() {
			owner, links = good, good // those of a link or a FIFO mean nothing
		}
		for _, property := range []atomicfile.Info{mode, owner, links} {
			f.note(s.home.checkFile(filepath.Join(s.path, name), property, s.info))
		}
	}
	return nil
}
