package localapi

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"
)

// Errors of Listen.
var (
	// ErrInUse: another program answers on the socket; it was left alone.
	ErrInUse = errors.New("the socket is in use by another program")
	// ErrPath: the path is longer than a socket address, or something else lies there.
	ErrPath = errors.New("the socket cannot be made there")
)

// Listen makes dir/name with exactly mode. The caller holds the instance's run lock
// and has not started a goroutine yet that makes files: the umask is set for this
// call only, and it belongs to the whole process. A stale socket (nobody answers a
// dial) is removed; anything else in the way is ErrPath or ErrInUse.
func Listen(dir, name string, mode fs.FileMode) (net.Listener, error) {
	path := filepath.Join(dir, name)
	if len(path) > maxSocketPath {
		return nil, fmt.Errorf("socket %s: %d bytes, the system allows %d (set XDG_RUNTIME_DIR or AGENTKEYS_HOME to a shorter path): %w",
			path, len(path), maxSocketPath, ErrPath)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("socket %s: %w", path, err)
	}
	if err := removeStale(path); err != nil {
		return nil, fmt.Errorf("socket %s: %w", path, err)
	}
	old := syscall.Umask(int(^mode & fs.ModePerm))
	defer syscall.Umask(old)
	l, err := net.Listen("unix", path) //nolint:noctx // a unix socket is made at once
	if err != nil {
		return nil, fmt.Errorf("socket %s: %w", path, err)
	}
	return l, nil
}

func removeStale(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode().Type() != fs.ModeSocket {
		return fmt.Errorf("%s lies there: %w", info.Mode().Type(), ErrPath)
	}
	c, err := net.Dial("unix", path) //nolint:noctx // a unix socket answers at once
	if err == nil {
		_ = c.Close()
		return ErrInUse
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return err
	}
	return os.Remove(path)
}
