package localapi

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"

	"github.com/agentkeys/agentkeys/internal/display"
)

// Errors of Listen.
var (
	// ErrInUse: another program answers on the socket, which was left alone.
	ErrInUse = errors.New("the socket is in use by another program")
	// ErrPath: the path is too long for a socket address, or another kind of file is there; see
	// PathError.
	ErrPath = errors.New("no socket can be made there")
)

// PathError says why no socket can be made at a path, and names the command that helps. Is
// ErrPath.
type PathError struct{ Path, What, Fix string }

func (e *PathError) Error() string { return "socket " + e.Path + ": " + e.What }

// Is makes errors.Is(err, ErrPath) true.
func (e *PathError) Is(target error) bool { return target == ErrPath }

// backlog is how many connections may wait to be accepted; the system may allow fewer.
const backlog = 4096

// Socket is a listener that remembers its file, so that it can tell whether the file is still
// there and does not remove another daemon's.
type Socket struct {
	net.Listener
	path string
	file fs.FileInfo
}

// Listen makes the socket dir/name with exactly mode; no program can connect before it has
// that mode. The caller holds the instance's run lock. A stale socket, on which no program
// accepts connections, is removed; anything else in its place is ErrPath or ErrInUse.
func Listen(dir, name string, mode fs.FileMode) (*Socket, error) {
	path := filepath.Join(dir, name)
	if len(path) > maxSocketPath {
		return nil, &PathError{
			Path: path, Fix: "export XDG_RUNTIME_DIR=/run/user/$(id -u)",
			What: fmt.Sprintf("its path has %d bytes, and the system allows %d: a shorter XDG_RUNTIME_DIR or AGENTKEYS_HOME is needed", len(path), maxSocketPath),
		}
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("socket %s: %w", path, err)
	}
	if err := removeStale(path); errors.Is(err, ErrPath) {
		return nil, err
	} else if err != nil {
		return nil, fmt.Errorf("socket %s: %w", path, err)
	}
	s, err := bind(path, mode)
	if err != nil {
		return nil, fmt.Errorf("socket %s: %w", path, err)
	}
	return s, nil
}

// bind sets the socket's mode between bind(2) and listen(2), while the kernel refuses every
// connection. The umask would set it too, but it belongs to the whole process, in which other
// goroutines make files.
func bind(path string, mode fs.FileMode) (*Socket, error) {
	syscall.ForkLock.RLock() // so that no child process inherits the descriptor
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err == nil {
		syscall.CloseOnExec(fd)
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	file := os.NewFile(uintptr(fd), path)
	defer func() { _ = file.Close() }() // the listener has its own descriptor
	if err := syscall.Bind(fd, &syscall.SockaddrUnix{Name: path}); err != nil {
		return nil, os.NewSyscallError("bind", err)
	}
	s, err := listen(file, path, mode)
	if err != nil {
		_ = os.Remove(path) // this function made it
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

// Intact reports whether the file at the socket's path is this socket's.
func (s *Socket) Intact() bool {
	info, err := os.Lstat(s.path)
	return err == nil && os.SameFile(info, s.file)
}

// Close closes the listener and removes the file, if it is this socket's.
func (s *Socket) Close() error {
	if s.Intact() {
		_ = os.Remove(s.path) // if it stays, the next daemon replaces it
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
		return &PathError{Path: path, What: "something else has its name", Fix: "mv " + display.Word(path) + " " + display.Word(path+".aside")}
	}
	c, err := net.Dial("unix", path) //nolint:noctx // connecting to a unix socket does not wait
	if err == nil {
		_ = c.Close()
		return ErrInUse
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return err
	}
	return os.Remove(path)
}
