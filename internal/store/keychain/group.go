package keychain

import (
	"os"
	"syscall"
)

func killGroup(pid int) error { return syscall.Kill(-pid, syscall.SIGKILL) }

// killOwnGroup does nothing in a process that does not lead a group.
func killOwnGroup() {
	if pid := os.Getpid(); syscall.Getpgrp() == pid {
		_ = syscall.Kill(-pid, syscall.SIGKILL) // it ends this process too
	}
}
