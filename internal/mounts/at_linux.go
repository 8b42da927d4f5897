package mounts

import (
	"bytes"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// at asks the kernel for the mount that holds path, and finds it in the list of mounts by
// its number, because several may be mounted on one point.
func at(path string) (Mount, error) {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return Mount{}, fmt.Errorf("open %s: %w", path, err)
	}
	defer func() { _ = unix.Close(fd) }() // nothing was written to it
	var st unix.Statfs_t
	if err := unix.Fstatfs(fd, &st); err != nil {
		return Mount{}, fmt.Errorf("file system of %s: %w", path, err)
	}
	m := listed(fd)
	if m.Type == "" { // not in the list: in a chroot, or without /proc
		m.Type = typeName(int64(st.Type)) //nolint:unconvert // 32 bits on some machines
		m.Life = lifeOf(m, "", nil)
	}
	m.ReadOnly = st.Flags&unix.ST_RDONLY != 0
	return m, nil
}

// listed is the mount of fd in the list; the zero Mount if it is not there.
func listed(fd int) Mount {
	info, err := os.ReadFile(fmt.Sprintf("/proc/self/fdinfo/%d", fd))
	if err != nil {
		return Mount{}
	}
	list, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return Mount{}
	}
	m, upper := find(list, mountID(info))
	if m.Type == "" {
		return m
	}
	m.Life = lifeOf(m, upper, func(path string) (Mount, error) {
		if _, err := os.Stat(path); err != nil {
			return Mount{}, err
		}
		return at(path)
	})
	return m
}

// mountID is the number in /proc/self/fdinfo/N (proc_pid_fdinfo(5)); empty: none.
func mountID(fdinfo []byte) string {
	for line := range bytes.Lines(fdinfo) {
		if id, ok := bytes.CutPrefix(line, []byte("mnt_id:")); ok {
			return string(bytes.TrimSpace(id))
		}
	}
	return ""
}

// typeName is the type for the number of statfs(2), where the list of mounts has no name.
func typeName(magic int64) string {
	switch uint32(magic) {
	case unix.TMPFS_MAGIC:
		return "tmpfs"
	case unix.RAMFS_MAGIC:
		return "ramfs"
	case unix.OVERLAYFS_SUPER_MAGIC:
		return "overlay"
	case unix.NFS_SUPER_MAGIC:
		return "nfs"
	case unix.SMB2_SUPER_MAGIC, unix.CIFS_SUPER_MAGIC:
		return "cifs"
	case unix.MSDOS_SUPER_MAGIC:
		return "vfat"
	case unix.EXFAT_SUPER_MAGIC:
		return "exfat"
	case unix.FUSE_SUPER_MAGIC:
		return "fuse"
	case unix.EXT4_SUPER_MAGIC:
		return "ext4"
	}
	return fmt.Sprintf("type 0x%x", uint32(magic))
}
