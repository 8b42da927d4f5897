package datadir

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/agentkeys/agentkeys/internal/atomicfile"
	"github.com/agentkeys/agentkeys/internal/strictjson"
)

const (
	servedName  = "serve-options"
	optionsName = "reload-options"
	maxOptions  = 64 << 10 // bytes
)

// given are command-line arguments in a file: those of `reload`, for the broker that serves,
// or those of `serve`, for a later `reload`.
type given struct {
	Version int      `json:"version"` // 1
	Args    []string `json:"args"`
}

// Options are the arguments that `reload` wrote; nil: none since the start.
func (d Dir) Options() ([]string, error) { return d.args(optionsName) }

// Served are the arguments that the broker was started with; nil: they could not be written.
func (d Dir) Served() ([]string, error) { return d.args(servedName) }

func (d Dir) args(name string) ([]string, error) {
	data, err := d.read(name, maxOptions)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var g given
	if err == nil {
		err = strictjson.Decode(data, &g)
	}
	if err == nil && g.Version != 1 {
		err = fmt.Errorf("version %d is a newer program's", g.Version)
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return append([]string{}, g.Args...), nil
}

// WriteOptions writes arguments for the broker that serves.
func (d Dir) WriteOptions(args []string) error { return d.writeArgs(optionsName, args) }

// WriteServed writes the arguments of the broker that serves.
func (d Dir) WriteServed(args []string) error { return d.writeArgs(servedName, args) }

func (d Dir) writeArgs(name string, args []string) error {
	data, err := json.Marshal(given{Version: 1, Args: args})
	if err != nil {
		return fmt.Errorf("encode %s: %w", name, err)
	}
	dir, err := atomicfile.System{}.OpenDir(d.path)
	if err != nil {
		return fmt.Errorf("open data directory: %w", err)
	}
	return errors.Join(atomicfile.Write(dir, name, append(data, '\n')), dir.Close())
}

// RemoveOptions removes the files of a reload and of an earlier broker. It is no error if there
// are none.
func (d Dir) RemoveOptions() error {
	for _, name := range []string{optionsName, servedName} {
		if err := os.Remove(filepath.Join(d.path, name)); !errors.Is(err, fs.ErrNotExist) && err != nil {
			return fmt.Errorf("remove %s: %w", name, err)
		}
	}
	return nil
}

// noteHolder lets Holder find this process. flock(2) does not tell the process, so this takes
// a record lock on the same file, for which the kernel tells it (F_GETLK).
func noteHolder(f *os.File) {
	_ = unix.FcntlFlock(f.Fd(), unix.F_SETLK, &unix.Flock_t{Type: unix.F_WRLCK}) // if it fails, Holder finds no process
}

// Holder is the process that has the Lock; 0: no other process that is visible from here
// has it.
func (d Dir) Holder() (int, error) {
	f, err := os.OpenFile(filepath.Join(d.path, lockName), os.O_RDWR|unix.O_NOFOLLOW, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("look who serves: %w", err)
	}
	defer func() { _ = f.Close() }() // nothing was written to it
	lock := unix.Flock_t{Type: unix.F_WRLCK}
	if err := unix.FcntlFlock(f.Fd(), unix.F_GETLK, &lock); err != nil {
		return 0, fmt.Errorf("look who serves: %w", err)
	}
	if lock.Type == unix.F_UNLCK {
		return 0, nil
	}
	return max(int(lock.Pid), 0), nil
}
