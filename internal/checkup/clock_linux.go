package checkup

import "golang.org/x/sys/unix"

// timeError is adjtimex's TIME_ERROR: the clock is not synchronised.
const timeError = 5

// clockSynced asks the kernel; it changes nothing.
func clockSynced() (known, synced bool) {
	state, err := unix.Adjtimex(&unix.Timex{})
	return err == nil, state != timeError
}
