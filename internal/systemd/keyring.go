package systemd

import (
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// HasKeyring reports whether a Secret Service seems to run in the session of uid: the bus
// exists, and a process of that user has the name of a provider. The bus itself cannot be
// asked, because a session bus closes root's connection.
func (m Machine) HasKeyring(uid int) bool {
	user := strconv.Itoa(uid)
	info, err := os.Lstat(m.at("/run/user/" + user + "/bus"))
	if err != nil || info.Mode().Type() != fs.ModeSocket {
		return false
	}
	statuses, err := filepath.Glob(m.at("/proc") + "/[0-9]*/status")
	if err != nil {
		return false
	}
	for _, path := range statuses {
		data, err := os.ReadFile(path)
		if err == nil && isProvider(string(data), user) {
			return true
		}
	}
	return false
}

// isProvider reads /proc/<pid>/status (proc_pid_status(5)): a name has 15 bytes, the
// first number of Uid is the real user.
func isProvider(status, user string) bool {
	name, owner := "", ""
	for line := range strings.Lines(status) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		switch fields := strings.Fields(value); {
		case len(fields) == 0:
		case key == "Name":
			name = fields[0]
		case key == "Uid":
			owner = fields[0]
		}
	}
	switch name {
	case "gnome-keyring-d", "kwalletd5", "kwalletd6", "ksecretd", "keepassxc":
		return owner == user
	}
	return false
}
