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

// given are the arguments of `reload`, from it to the broker that serves, or those of
// `serve`, which are left to `reload`.
type given struct {
	Version int      `json:"version"` // 1
	Args    []string `json:"args"`
}

// Options are the arguments that `reload` left; nil: none since the start.
func (d Dir) Options() ([]string, error) { return d.args(optionsName) }

// Served are the arguments that the broker was started with; nil: they could not be kept.
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

// WriteOptions leaves arguments for the broker that serves.
func (d Dir) WriteOptions(args []string) error { return d.writeArgs(optionsName, args) }

// WriteServed leaves the arguments of the broker that serves.
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

// RemoveOptions forgets those of a reload and of the broker before; that there are none is fine.
func (d Dir) RemoveOptions() error {
	for _, name := range []string{optionsName, servedName} {
		if err := os.Remove(filepath.Join(d.path, name)); !errors.Is(err, fs.ErrNotExist) && err != nil {
			return fmt.Errorf("remove %s: %w", name, err)
		}
	}
	return nil
}

// noteHolder lets Holder find this process. flock(2) names none, so there is a lock of
// the other kind on the same file, which the kernel knows the process of.
func noteHolder(f *os.File) {
	_ = unix.FcntlFlock(f.Fd(), unix.F_SETLK, &unix.Flock_t{Type: unix.F_WRLCK}) // without it nobody is found
}

// Holder is the process that has the Lock; 0: none that this one can see, itself not
// counted.
func (d Dir) Holder() (int, error) {
	f, err := os.OpenFile(filepath.Join(d.path, lockName), os.O_RDWR|unix.O_NOFOLLOW, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("look who serves: %w", err)
	}
	defer func() { _ = f.Close() }() // nothing was written
	lock := unix.Flock_t{Type: unix.F_WRLCK}
	if err := unix.FcntlFlock(f.Fd(), unix.F_GETLK, &lock); err != nil {
		return 0, fmt.Errorf("look who serves: %w", err)
	}
	if lock.Type == unix.F_UNLCK {
		return 0, nil
	}
	return max(int(lock.Pid), 0), nil
}
