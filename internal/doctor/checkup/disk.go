package checkup

import (
	"golang.org/x/sys/unix"

	"github.com/agentkeys/agentkeys/internal/doctor"
	"github.com/agentkeys/agentkeys/internal/mounts"
)

// leastSpace is what a save and a small cache need, in bytes.
const leastSpace = 64 << 10

// disk examines the file system that holds path, without a write. nil: it cannot be examined.
func disk(path string) *doctor.Disk {
	m, err := mounts.Of(path)
	if err != nil {
		return nil
	}
	return &doctor.Disk{Path: path, Mount: m.String(), Point: m.Point, ReadOnly: m.ReadOnly, Full: full(m.Point)}
}

// full reports whether no space is left for users other than root. A file system that counts neither
// blocks nor files is not full.
func full(point string) bool {
	var st unix.Statfs_t
	if point == "" || unix.Statfs(point, &st) != nil {
		return false
	}
	left := uint64(st.Bavail) * uint64(st.Bsize) //nolint:unconvert // the types of the counts differ between systems
	return st.Blocks > 0 && left < leastSpace || st.Files > 0 && st.Ffree == 0
}
