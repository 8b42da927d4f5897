package store

import "golang.org/x/sys/unix"

// bootID is the boot session; empty if the kernel does not say.
func bootID() string {
	id, err := unix.Sysctl("kern.bootsessionuuid")
	if err != nil {
		return ""
	}
	return id
}
