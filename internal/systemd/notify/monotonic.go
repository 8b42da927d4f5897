package notify

import (
	"time"

	"golang.org/x/sys/unix"
)

// Monotonic is the time since boot by CLOCK_MONOTONIC; 0 if it cannot be read.
func Monotonic() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		return 0
	}
	return time.Duration(ts.Nano())
}
