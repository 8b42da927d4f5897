package checkup

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// otherEnd is the process that listens (SO_PEERCRED of the side that connected).
func otherEnd(fd int) (pid, uid int) {
	cred, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil {
		return 0, -1
	}
	return int(cred.Pid), int(cred.Uid)
}

// locker is the daemon that holds a lock on the file (proc_locks(5)). The device is not compared,
// because some file systems (btrfs, overlay) report a different one there. Instead the process must be
// a daemon of ours.
func locker(path string) (pid, uid int) {
	var st syscall.Stat_t
	if syscall.Stat(path, &st) != nil {
		return 0, -1
	}
	text, err := os.ReadFile("/proc/locks")
	if err != nil {
		return 0, -1
	}
	for _, pid := range lockersIn(string(text), st.Ino) {
		if isDaemon(pid) {
			return pid, userOf(pid)
		}
	}
	return 0, -1
}

// lockersIn lists the processes that the text of /proc/locks names for the inode.
func lockersIn(text string, inode uint64) (pids []int) {
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) < 6 || f[1] == "->" { // a process that waits for the lock
			continue
		}
		pid, err := strconv.Atoi(f[4])
		if err == nil && pid > 0 && strings.HasSuffix(f[5], ":"+strconv.FormatUint(inode, 10)) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// isDaemon compares the process's name, of which the kernel keeps 15 bytes.
func isDaemon(pid int) bool {
	comm, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	return err == nil && strings.TrimSpace(string(comm)) == "agentkeys-daemon"[:15]
}

// userOf is the effective user in proc_pid_status(5); the directory of a process that
// cannot be traced shows root as its owner.
func userOf(pid int) int {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return -1
	}
	for line := range strings.Lines(string(text)) {
		if ids, ok := strings.CutPrefix(line, "Uid:"); ok {
			if f := strings.Fields(ids); len(f) > 1 {
				if uid, err := strconv.Atoi(f[1]); err == nil {
					return uid
				}
			}
		}
	}
	return -1
}

func cgroupOf(pid int) string {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	if err != nil {
		return ""
	}
	return string(text)
}
