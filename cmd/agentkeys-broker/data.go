package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/agentkeys/agentkeys/internal/atomicfile"
	"github.com/agentkeys/agentkeys/internal/broker/datadir"
	"github.com/agentkeys/agentkeys/internal/mounts"
)

// errNetwork: SQLite's write-ahead log needs shared memory between the programs that have the
// database open, and locks that a network file system may not have (sqlite.org/wal.html).
var errNetwork = errors.New("the database is not safe on another machine's files")

// openData opens the data directory for writing, and makes it. It tests the file system first,
// because an account that cannot be kept must not be created. warning is for the person; empty: there
// is none.
func openData(path string) (dir datadir.Dir, warning string, err error) {
	full, err := filepath.Abs(path)
	if err != nil {
		return dir, "", fmt.Errorf("data directory: %w", err)
	}
	if err := mayMake(full); err != nil {
		return dir, "", err
	}
	m, mountErr := mounts.Of(full)
	if mountErr == nil && m.Network() {
		return dir, "", fmt.Errorf("%s lies on %s: %w", full, m, errNetwork)
	}
	switch err := datadir.Try(full); {
	case errors.Is(err, syscall.EROFS) && mountErr == nil:
		return dir, "", fmt.Errorf("%s lies on %s: %w", full, m, syscall.EROFS)
	case errors.Is(err, atomicfile.ErrUnfit), errors.Is(err, atomicfile.ErrNoDir), errors.Is(err, syscall.EROFS):
		return dir, "", err // for a full disk the broker gives more details
	}
	if dir, err = datadir.Open(path); err != nil {
		return dir, "", err
	}
	if mountErr == nil && m.Life != mounts.Stays {
		warning = fmt.Sprintf("%s lies on %s: what is kept there is %s", full, m, m.Life)
	}
	return dir, warning, nil
}

// mayMake refuses to let root make path in another user's directory, because that user could neither
// use it nor remove its content.
func mayMake(path string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for parent := filepath.Dir(path); ; parent = filepath.Dir(parent) {
		info, err := os.Stat(parent)
		if errors.Is(err, fs.ErrNotExist) && parent != "/" {
			continue
		}
		if err != nil {
			return nil // making it reports the reason
		}
		if st, ok := info.Sys().(*syscall.Stat_t); ok && st.Uid != 0 {
			return othersData(parent, strconv.Itoa(int(st.Uid)))
		}
		return nil
	}
}

// othersDir: root would make a file in another user's directory.
type othersDir struct{ dir, user string }

func (e *othersDir) Error() string {
	return fmt.Sprintf("root would keep its own things in %s, which belongs to %s", e.dir, e.user)
}

// command is the command that that user types instead.
func (e *othersDir) command(args []string) string {
	words := []string{"sudo", "-u", e.user, filepath.Base(args[0])}
	words = append(words, args[1:]...)
	for i, word := range words {
		if strings.ContainsAny(word, " \t\n'\"\\$&;|<>()*?[]#~`!{}") {
			words[i] = "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
		}
	}
	return strings.Join(words, " ")
}

func othersData(dir, uid string) error {
	name := "#" + uid
	if u, err := user.LookupId(uid); err == nil {
		name = u.Username
	}
	return &othersDir{dir: dir, user: name}
}
