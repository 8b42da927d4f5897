// Package unixsocket listens on a unix socket that every user of the machine may connect to.
package unixsocket

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"
	"syscall"
	"time"
)

// ErrNotSocket: another kind of file has the path, which may be mistyped. The file was left as it is.
var ErrNotSocket = errors.New("it is there and is no socket; it was left as it is")

// ErrInUse: another program accepts connections on the socket.
var ErrInUse = errors.New("another program answers on it")

// mode lets every user connect, as to a port on loopback.
const mode fs.FileMode = 0o666

// Path is the path in unix:///path; false: address is no such address.
func Path(address string) (string, bool) {
	path, ok := strings.CutPrefix(address, "unix:")
	return strings.TrimPrefix(path, "//"), ok
}

// Listen listens on the socket at path. A socket whose program has ended is replaced, and nothing else:
// ErrNotSocket, ErrInUse.
func Listen(ctx context.Context, path string) (net.Listener, error) {
	if err := removeStale(ctx, path); err != nil {
		return nil, fmt.Errorf("listen on %s: %w", path, err)
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "unix", path)
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	if err := os.Chmod(path, mode); err != nil {
		return nil, errors.Join(fmt.Errorf("listen: %w", err), l.Close())
	}
	return l, nil
}

func removeStale(ctx context.Context, path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode().Type() != fs.ModeSocket {
		return ErrNotSocket
	}
	d := net.Dialer{Timeout: time.Second}
	c, err := d.DialContext(ctx, "unix", path)
	if err == nil {
		return errors.Join(ErrInUse, c.Close())
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return err // with a full queue, for example, the program is still there
	}
	return os.Remove(path)
}
