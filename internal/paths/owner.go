package paths

import (
	"os"
	"syscall"
)

// Owner is the user who owns path, -1 if that cannot be told. The owner of a socket is the
// user of the daemon that made it.
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
