// Package mounts says which file system holds a path, and how long that file system keeps
// what is written. It changes nothing.
package mounts

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// Life is how long a file system keeps what is written to it.
type Life int

// How long a file system keeps what is written.
const (
	// Stays: for good, as on a disk or on a server, as far as the system says.
	Stays Life = iota
	// UntilReboot: it is in memory.
	UntilReboot
	// WithLayer: as long as the upper layer of an overlay that this process does not see. It
	// is the layer of a container, or one that was made at boot.
	WithLayer
)

// String is the end of a sentence about the path; empty for Stays.
func (l Life) String() string {
	switch l {
	case UntilReboot:
		return "gone after a reboot"
	case WithLayer:
		return "gone when the container is removed, or when the overlay is made anew at a boot"
	default:
		return ""
	}
}

// Mount is one mounted file system.
type Mount struct {
	Point    string // where it is mounted; empty if the system does not say (in a chroot)
	Type     string // ext4, tmpfs, nfs4, fuse.sshfs
	Source   string // /dev/sda1, server:/export; may be empty
	ReadOnly bool
	Life     Life
}

// Of finds the mount that holds path, or, if path does not exist, the one that would hold
// it. path is absolute.
func Of(path string) (Mount, error) {
	path = filepath.Clean(path)
	for {
		m, err := at(path)
		parent := filepath.Dir(path)
		if err == nil || parent == path {
			return m, err
		}
		path = parent
	}
}

// String describes the mount to a person: "tmpfs at /tmp".
func (m Mount) String() string {
	switch {
	case m.Point == "":
		return m.Type
	case filepath.IsAbs(m.Source) || strings.Contains(m.Source, ":"):
		return fmt.Sprintf("%s at %s (%s)", m.Type, m.Point, m.Source)
	}
	return m.Type + " at " + m.Point
}

// Network reports whether the files are on another machine.
func (m Mount) Network() bool {
	return slices.Contains([]string{
		"nfs", "nfs4", "cifs", "smb3", "smbfs", "afpfs", "webdav", "afs", "ceph", "lustre", "gfs2", "ocfs2", "glusterfs",
		"fuse.sshfs", "fuse.glusterfs", "fuse.ceph", "fuse.s3fs", "fuse.rclone", "fuse.davfs", "davfs",
	}, m.Type)
}

// ramDisk matches block devices that are memory.
var ramDisk = regexp.MustCompile(`\A/dev/(zram|ram)[0-9]+(p[0-9]+)?\z`)

// inMemory reports whether a file system of this type on this source is memory.
func inMemory(kind, source string) bool {
	return slices.Contains([]string{"tmpfs", "ramfs", "rootfs", "devtmpfs"}, kind) || ramDisk.MatchString(source)
}
