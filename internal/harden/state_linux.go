package harden

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// Look reads from the kernel what Process has achieved.
func Look() (State, error) {
	dumpable, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0)
	if err != nil {
		return State{}, fmt.Errorf("read dumpable flag: %w", err)
	}
	limit, err := coreLimit()
	return State{Dumpable: dumpable != 0, CoreLimit: limit}, err
}
