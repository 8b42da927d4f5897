package paths

import (
	"os"
	"syscall"
)

// Owner is the user to whom path belongs, -1 where that cannot be told. Of a socket it
// is the user of the daemon that made it.
func Owner(path string) int {
	info, err := os.Lstat(path)
	if err != nil {
		return -1
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return -1
	}
	return int(st.Uid)
}
