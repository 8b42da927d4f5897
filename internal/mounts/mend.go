package mounts

import (
	"errors"
	"syscall"

	"github.com/agentkeys/agentkeys/internal/health/condition"
)

// Mend is the command for the file system that holds path where err says that it is read
// only or full. It is empty if err says neither, and for a file system that others may write
// to now.
func Mend(path string, err error) string {
	full := errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
	if !full && !errors.Is(err, syscall.EROFS) {
		return ""
	}
	m, err := Of(path)
	switch {
	case err != nil || m.Point == "" && full:
		return ""
	case full:
		return condition.Room(m.Point)
	case !m.ReadOnly:
		return ""
	}
	return condition.Remount(path, m.Point)
}
