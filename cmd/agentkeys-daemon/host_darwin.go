package main

import "golang.org/x/sys/unix"

// machineFiles is empty, because on macOS only a tool tells the serial number, and none is started.
func machineFiles() []string { return nil }

func bootID() string {
	id, err := unix.Sysctl("kern.bootsessionuuid")
	if err != nil {
		return ""
	}
	return id
}
