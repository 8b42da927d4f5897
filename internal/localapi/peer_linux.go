package localapi

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/agentkeys/agentkeys/internal/access"
)

// maxSocketPath is sun_path of unix(7) without its NUL.
const maxSocketPath = 107

// soPeerPidFD is SO_PEERPIDFD of Linux 6.5; x/sys has it for some architectures only.
const soPeerPidFD = 0x4d

var errGone = errors.New("the peer is gone")

// peerOfSocket reads user, process, groups and unit of the other end. The unit is
// believed only if the process that was looked at is still the one that connected.
func peerOfSocket(fd int) (access.Peer, error) {
	cred, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil {
		return access.Peer{}, err
	}
	peer := access.Peer{PID: cred.Pid, UID: cred.Uid, Groups: append(peerGroups(fd), cred.Gid)}
	if cred.Pid <= 0 {
		return peer, nil
	}
	if unit, err := unitOf(fd, cred.Pid); err == nil {
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

func unitOf(fd int, pid int32) (string, error) {
	same, err := sameProcess(fd, pid)
	if err != nil {
		return "", err
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	if !same() {
		return "", errGone
	}
	if err != nil {
		return "", err
	}
	return access.UnitOfCgroup(string(text)), nil
}

// sameProcess gives a check, to be called once, that pid is still the process that connected: by a
// pidfd of the socket where the kernel has it, else by an unchanged start time.
func sameProcess(fd int, pid int32) (func() bool, error) {
	if pidfd, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, soPeerPidFD); err == nil {
		return func() bool {
			defer func() { _ = unix.Close(pidfd) }()
			return unix.PidfdSendSignal(pidfd, 0, nil, 0) != unix.ESRCH
		}, nil
	}
	before, err := startTime(pid)
	if err != nil {
		return nil, err
	}
	return func() bool {
		after, err := startTime(pid)
		return err == nil && after == before
	}, nil
}

// startTime is field 22 of proc_pid_stat(5), counted behind the command's bracket.
func startTime(pid int32) (string, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return "", err
	}
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	if len(fields) < 20 {
		return "", errGone
	}
	return fields[19], nil
}
