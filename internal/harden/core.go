//go:build linux || darwin

package harden

import (
	"fmt"

	"golang.org/x/sys/unix"
)

func noCore() error {
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		return fmt.Errorf("set core limit: %w", err)
	}
	return nil
}

// coreLimit is the larger of the soft and the hard limit, since a process may raise the
// soft one to the hard one.
func coreLimit() (uint64, error) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_CORE, &limit); err != nil {
		return 0, fmt.Errorf("read core limit: %w", err)
	}
	return max(limit.Cur, limit.Max), nil
}
