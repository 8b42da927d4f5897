package main

import "golang.org/x/sys/unix"

// machineFiles: macOS keeps its serial number behind a tool; none is started for it.
func machineFiles() []string { return nil }

func bootID() string {
	id, err := unix.Sysctl("kern.bootsessionuuid")
	if err != nil {
		return ""
	}
	return id
}
