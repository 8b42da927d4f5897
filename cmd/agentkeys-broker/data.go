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

// errNetwork: SQLite's write-ahead log shares memory between the programs that have the
// database open, and its locks are only as good as the server's (sqlite.org/wal.html).
var errNetwork = errors.New("the database is not safe on another machine's files")

// openData opens the data directory for what will write there, and makes it. First the
// file system is tried: no account may be made that cannot be kept. warning is what a
// person should know; empty: nothing.
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
		return dir, "", err // of a disk that is full the broker says more
	}
	if dir, err = datadir.Open(path); err != nil {
		return dir, "", err
	}
	if mountErr == nil && m.Life != mounts.Stays {
		warning = fmt.Sprintf("%s lies on %s: what is kept there is %s", full, m, m.Life)
	}
	return dir, warning, nil
}

// mayMake refuses root to make path in another user's directory, where that user could
// neither use it nor remove what is in it.
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
			return nil // making it will say why
		}
		if st, ok := info.Sys().(*syscall.Stat_t); ok && st.Uid != 0 {
			return othersData(parent, strconv.Itoa(int(st.Uid)))
		}
		return nil
	}
}

// othersDir: root would leave something in another user's directory.
type othersDir struct{ dir, user string }

func (e *othersDir) Error() string {
	return fmt.Sprintf("root would keep its own things in %s, which belongs to %s", e.dir, e.user)
}

// command is what that user types instead.
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
