package localapi

import (
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/agentkeys/agentkeys/internal/access"
)

// maxSocketPath is sun_path of unix(7) without its NUL.
const maxSocketPath = 107

// peerOfSocket reads user, process, groups and unit of the other end. The unit counts only if
// the process that was examined is still the one that connected.
func peerOfSocket(fd int) (access.Peer, error) {
	cred, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil {
		return access.Peer{}, err
	}
	peer := access.Peer{PID: cred.Pid, UID: cred.Uid, Groups: append(peerGroups(fd), cred.Gid)}
	if cred.Pid <= 0 {
		return peer, nil
	}
	if unit, err := unitOf(fd, cred); err == nil {
		peer.Unit = unit
	}
	return peer, nil
}

// peerGroups are the supplementary groups (SO_PEERGROUPS, Linux 4.13).
func peerGroups(fd int) []uint32 {
	groups := make([]uint32, 64)
	for range 2 {
		size := uint32(len(groups) * 4)
		_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.SOL_SOCKET, unix.SO_PEERGROUPS,
			uintptr(unsafe.Pointer(&groups[0])), uintptr(unsafe.Pointer(&size)), 0) //nolint:gosec // getsockopt(2)
		if errno == 0 {
			return groups[:size/4]
		}
		if errno != unix.ERANGE {
			return nil
		}
		groups = make([]uint32, size/4)
	}
	return nil
}
