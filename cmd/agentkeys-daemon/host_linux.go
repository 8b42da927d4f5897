package main

import (
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// machineFiles: the board's serial number, else the installation's id.
func machineFiles() []string {
	return []string{"/proc/device-tree/serial-number", "/etc/machine-id"}
}

func bootID() string {
	data, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(data))
}

// timeError is adjtimex's TIME_ERROR: the clock is not synchronised.
const timeError = 5

func clockSynced() bool {
	state, err := unix.Adjtimex(&unix.Timex{})
	return err == nil && state != timeError
}
