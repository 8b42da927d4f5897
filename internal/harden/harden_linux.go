package harden

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

func protect() error {
	return errors.Join(undumpable(), noCore())
}

func undumpable() error {
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("clear dumpable flag: %w", err)
	}
	return nil
}
