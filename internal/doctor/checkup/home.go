package checkup

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/agentkeys/agentkeys/internal/atomicfile"
	"github.com/agentkeys/agentkeys/internal/mounts"
	"github.com/agentkeys/agentkeys/internal/store"
)

// Home is what a person should know about a home.
type Home struct {
	Warnings []string // it works, but not for long, or not through a power cut
	Hint     string   // the command that helps if the file system is unfit
}

// TryHome finds out whether the store's home can keep sessions, before anything that needs one is done
// elsewhere. Unlike the rest of this package it writes: what store.Try makes and removes. Its errors are
// those of store.Try.
func TryHome(s *store.Store, getenv func(string) string) (Home, error) {
	var h Home
	home := s.Home()
	m, mountErr := mounts.Of(home)
	found, err := s.Try()
	switch {
	case errors.Is(err, atomicfile.ErrUnfit):
		h.Hint = otherHome(getenv, m)
		if mountErr == nil {
			err = fmt.Errorf("%w (%s)", err, m)
		}
		return h, err
	case err != nil || mountErr != nil:
		return h, err
	}
	if warning := Volatile(home, m); warning != "" {
		h.Warnings = append(h.Warnings, warning)
	}
	if !found.SyncsDirs {
		h.Warnings = append(h.Warnings, fmt.Sprintf("%s lies on %s, which cannot sync directories: a power cut may take back the last change", home, m))
	}
	return h, nil
}

// Volatile says why what is stored at path is lost at some time; empty: it is kept.
func Volatile(path string, m mounts.Mount) string {
	if m.Life == mounts.Stays {
		return ""
	}
	return fmt.Sprintf("%s lies on %s: what is kept there is %s", path, m, m.Life)
}

// lasting finds out how a slot is kept. It changes nothing.
func lasting(slot string) (volatile, noSync string) {
	m, err := mounts.Of(slot)
	if err != nil {
		return "", ""
	}
	dir, err := atomicfile.System{}.OpenDir(slot)
	if err != nil {
		return Volatile(slot, m), ""
	}
	defer func() { _ = dir.Close() }() // nothing was written
	if can, err := dir.CanSync(); err == nil && !can {
		noSync = m.String()
	}
	return Volatile(slot, m), noSync
}

// otherHome is the user's own directory if it is on another file system.
func otherHome(getenv func(string) string, m mounts.Mount) string {
	user := getenv("HOME")
	if other, err := mounts.Of(user); filepath.IsAbs(user) && err == nil && other != m {
		return "export AGENTKEYS_HOME=" + filepath.Join(user, ".agentkeys") + "   (for the daemon and the commands alike)"
	}
	return "export AGENTKEYS_HOME=DIR   (for the daemon and the commands alike; DIR on a file system with owners and modes, as ext4, btrfs, xfs and apfs)"
}
