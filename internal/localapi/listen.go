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

// backlog is how many callers may wait to be accepted; the system may allow fewer.
const backlog = 4096

// Socket is a listener that knows its file: whether it is still in its place, and that
// another's is not removed with it.
type Socket struct {
	net.Listener
	path string
	file fs.FileInfo
}

// Listen makes dir/name with exactly mode, which nobody can connect to before that. The
// caller holds the instance's run lock. A stale socket (nobody answers a dial) is removed;
// anything else in the way is ErrPath or ErrInUse.
func Listen(dir, name string, mode fs.FileMode) (*Socket, error) {
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
	s, err := bind(path, mode)
	if err != nil {
		return nil, fmt.Errorf("socket %s: %w", path, err)
	}
	return s, nil
}

// bind gives the socket its mode between bind(2) and listen(2), when a connection is
// refused to everybody. The umask would do it too, but belongs to the whole process, in
// which other goroutines make files.
func bind(path string, mode fs.FileMode) (*Socket, error) {
	syscall.ForkLock.RLock() // no child inherits it
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err == nil {
		syscall.CloseOnExec(fd)
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	file := os.NewFile(uintptr(fd), path)
	defer func() { _ = file.Close() }() // the listener has a descriptor of its own
	if err := syscall.Bind(fd, &syscall.SockaddrUnix{Name: path}); err != nil {
		return nil, os.NewSyscallError("bind", err)
	}
	s, err := listen(file, path, mode)
	if err != nil {
		_ = os.Remove(path) // made here
	}
	return s, err
}

func listen(file *os.File, path string, mode fs.FileMode) (*Socket, error) {
	if err := os.Chmod(path, mode); err != nil {
		return nil, err
	}
	if err := syscall.Listen(int(file.Fd()), backlog); err != nil {
		return nil, os.NewSyscallError("listen", err)
	}
	info, err := os.Lstat(path)
	if err != nil {
		return nil, err
	}
	l, err := net.FileListener(file)
	if err != nil {
		return nil, err
	}
	return &Socket{Listener: l, path: path, file: info}, nil
}

// Intact reports whether the file in the socket's place is this socket's.
func (s *Socket) Intact() bool {
	info, err := os.Lstat(s.path)
	return err == nil && os.SameFile(info, s.file)
}

// Close removes the file too, where it is this socket's.
func (s *Socket) Close() error {
	if s.Intact() {
		_ = os.Remove(s.path) // a stale one is replaced by the next daemon
	}
	return s.Listener.Close()
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
