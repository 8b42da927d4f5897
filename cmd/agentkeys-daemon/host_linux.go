package main

import (
	"os"
	"strings"
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
