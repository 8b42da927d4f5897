package localapi

import (
	"golang.org/x/sys/unix"

	"github.com/agentkeys/agentkeys/internal/access"
)

// maxSocketPath is sun_path of unix(4) without its NUL.
const maxSocketPath = 103

// peerOfSocket reads user, process and groups of the other end (LOCAL_PEERCRED,
// LOCAL_PEERPID). There are no systemd units on macOS.
func peerOfSocket(fd int) (access.Peer, error) {
	cred, err := unix.GetsockoptXucred(fd, unix.SOL_LOCAL, unix.LOCAL_PEERCRED)
	if err != nil {
		return access.Peer{}, err
	}
	pid, err := unix.GetsockoptInt(fd, unix.SOL_LOCAL, unix.LOCAL_PEERPID)
	if err != nil {
		return access.Peer{}, err
	}
	groups := append([]uint32{}, cred.Groups[:min(max(cred.Ngroups, 0), int16(len(cred.Groups)))]...)
	return access.Peer{PID: int32(pid), UID: cred.Uid, Groups: groups}, nil //nolint:gosec // a pid fits
}
