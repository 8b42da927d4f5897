// Package mounts says on which file system a path lies, and for how long that keeps what
// is written. It changes nothing.
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

// The lives of what is written.
const (
	// Stays: on a disk or on a server, as far as the system says.
	Stays Life = iota
	// UntilReboot: in memory.
	UntilReboot
	// WithLayer: in the upper layer of an overlay that this process does not see. It is
	// a container's own layer, or one that the boot made.
	WithLayer
)

// String is the end of a sentence; empty for what stays.
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

// Mount is one file system in its place.
type Mount struct {
	Point    string // where it is mounted; empty where the system does not say (in a chroot)
	Type     string // ext4, tmpfs, nfs4, fuse.sshfs
	Source   string // /dev/sda1, server:/export; may be empty
	ReadOnly bool
	Life     Life
}

// Of finds the mount that holds path; of a path that does not exist, the one that would
// hold it. path is absolute.
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

// String names the mount to a person: "tmpfs at /tmp".
func (m Mount) String() string {
	switch {
	case m.Point == "":
		return m.Type
	case filepath.IsAbs(m.Source) || strings.Contains(m.Source, ":"):
		return fmt.Sprintf("%s at %s (%s)", m.Type, m.Point, m.Source)
	}
	return m.Type + " at " + m.Point
}

// Network reports whether another machine holds the files.
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
