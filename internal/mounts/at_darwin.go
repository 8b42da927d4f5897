package mounts

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// at asks statfs(2), which has everything on macOS. A RAM disk looks like any other disk there.
func at(path string) (Mount, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(path, &st); err != nil {
		return Mount{}, fmt.Errorf("file system of %s: %w", path, err)
	}
	m := Mount{
		Point: unix.ByteSliceToString(st.Mntonname[:]), Type: unix.ByteSliceToString(st.Fstypename[:]),
		Source: unix.ByteSliceToString(st.Mntfromname[:]), ReadOnly: st.Flags&unix.MNT_RDONLY != 0,
	}
	if inMemory(m.Type, m.Source) {
		m.Life = UntilReboot
	}
	return m, nil
}
