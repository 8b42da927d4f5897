package localapi

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/agentkeys/agentkeys/internal/access"
)

// soPeerPidFD is SO_PEERPIDFD of Linux 6.5; x/sys has it for some architectures only.
const soPeerPidFD = 0x4d

var errGone = errors.New("the peer is gone")

// unitOf is the unit of the process that connected. Its control group is read twice, and
// before each use the process must still be the one that connected. So a later process with
// the same number, and a process that changed its control group in between, have no unit.
func unitOf(fd int, cred *unix.Ucred) (string, error) {
	peer, err := processOf(fd, cred)
	if err != nil {
		return "", err
	}
	defer peer.close()
	first, err := peer.cgroup()
	if err != nil {
		return "", err
	}
	second, err := peer.cgroup()
	if err != nil || !bytes.Equal(first, second) {
		return "", errGone
	}
	return access.UnitOfCgroup(string(second)), nil
}

// process is the process that connected. On a kernel before 6.5 there is no pidfd (-1), and
// the process is recognised by its traits.
type process struct {
	pid    int32
	pidfd  int
	traits traits
}

// processOf finds the process that connected. It uses the traits only on a kernel without
// SO_PEERPIDFD; every other error means that the peer has ended, so that its number may belong
// to another process.
func processOf(fd int, cred *unix.Ucred) (process, error) {
	pidfd, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, soPeerPidFD)
	if err == nil {
		return process{pid: cred.Pid, pidfd: pidfd}, nil
	}
	if !errors.Is(err, unix.ENOPROTOOPT) {
		return process{}, err
	}
	return processByTraits(cred)
}

func processByTraits(cred *unix.Ucred) (process, error) {
	t, err := traitsOf(cred.Pid)
	if err != nil {
		return process{}, err
	}
	if t.uid != cred.Uid || t.gid != cred.Gid {
		return process{}, errGone
	}
	return process{pid: cred.Pid, pidfd: -1, traits: t}, nil
}

func (p process) close() {
	if p.pidfd >= 0 {
		_ = unix.Close(p.pidfd) // nothing was written
	}
}

// is reports whether the number still belongs to this process.
func (p process) is() bool {
	if p.pidfd >= 0 {
		err := unix.PidfdSendSignal(p.pidfd, 0, nil, 0)
		return err == nil || errors.Is(err, unix.EPERM)
	}
	t, err := traitsOf(p.pid)
	return err == nil && t == p.traits
}

func (p process) cgroup() ([]byte, error) {
	text, err := readProc(p.pid, "cgroup")
	if !p.is() {
		return nil, errGone
	}
	return text, err
}

// traits tell a process from a later one with the same number: the start time, field 22 of
// proc_pid_stat(5), and the effective user and group, which the kernel also tells of a peer.
type traits struct {
	start    string
	uid, gid uint32
}

func traitsOf(pid int32) (traits, error) {
	stat, err := readProc(pid, "stat")
	if err != nil {
		return traits{}, err
	}
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:])) // the command's name ends with the last ')'
	if len(fields) < 20 {
		return traits{}, errGone
	}
	status, err := readProc(pid, "status")
	if err != nil {
		return traits{}, err
	}
	uid, uidErr := effective(status, "Uid:")
	gid, gidErr := effective(status, "Gid:")
	return traits{start: fields[19], uid: uid, gid: gid}, errors.Join(uidErr, gidErr)
}

// effective is the second number of a line of proc_pid_status(5). The name of a command is in
// that file too, but it cannot be at the beginning of a line.
func effective(status []byte, key string) (uint32, error) {
	for line := range strings.Lines(string(status)) {
		if fields := strings.Fields(line); len(fields) == 5 && fields[0] == key && strings.HasPrefix(line, key) {
			n, err := strconv.ParseUint(fields[2], 10, 32)
			return uint32(n), err
		}
	}
	return 0, errGone
}

func readProc(pid int32, name string) ([]byte, error) {
	return os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, name))
}
