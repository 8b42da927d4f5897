// Package datadir manages the broker's data directory: it admits one broker at a time, keeps
// other users out, and holds the file with the set-up token for the person who installs it.
package datadir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/agentkeys/agentkeys/internal/atomicfile"
	"github.com/agentkeys/agentkeys/internal/secret"
	"github.com/agentkeys/agentkeys/internal/session"
)

// Errors of Open and Lock.
var (
	// ErrBusy: another broker runs on this directory. Stop it first.
	ErrBusy = errors.New("another agentkeys-broker runs on this directory")
	// ErrInsecure: the directory belongs to another user or other users may read it; a
	// person has to change that. See InsecureError.
	ErrInsecure = errors.New("the data directory must belong to this user and have mode 0700")
)

const lockName = ".lock"

// Dir is the broker's directory.
type Dir struct{ path string }

// Open makes the directory, mode 0700, or checks the one that is there.
func Open(path string) (Dir, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return Dir{}, fmt.Errorf("make data directory: %w", err)
	}
	return Existing(path)
}

// Existing is Open for a caller that makes nothing. fs.ErrNotExist: there is no such directory.
func Existing(path string) (Dir, error) {
	if err := atomicfile.CheckDir(path); err != nil {
		return Dir{}, fmt.Errorf("open data directory: %w", err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return Dir{}, fmt.Errorf("open data directory: %w", err)
	}
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return Dir{}, fmt.Errorf("open data directory: %w", err)
	}
	fix := ""
	switch uid := int(st.Uid); {
	case uid != os.Geteuid():
		fix = othersFix(path, uid)
	case info.Mode().Perm()&0o077 != 0:
		fix = "chmod 700 " + path
	default:
		return Dir{path: path}, nil
	}
	return Dir{}, &InsecureError{Path: path, Fix: fix}
}

// Database is the path of the SQLite file.
func (d Dir) Database() string { return filepath.Join(d.path, "broker.db") }

// SetupPath is the path of the file with the set-up token.
func (d Dir) SetupPath() string { return filepath.Join(d.path, "setup-token") }

// Lock excludes other brokers until unlock or the end of the process. ErrBusy.
func (d Dir) Lock() (unlock func() error, err error) {
	f, err := os.OpenFile(filepath.Join(d.path, lockName), os.O_CREATE|os.O_RDWR|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock data directory: %w", err)
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return nil, errors.Join(fmt.Errorf("%s: %w", d.path, ErrBusy), f.Close())
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lock data directory: %w", err), f.Close())
	}
	noteHolder(f)
	// Unlocked explicitly: a child process that is just being started has the file open until its exec.
	return func() error { return errors.Join(unix.Flock(int(f.Fd()), unix.LOCK_UN), f.Close()) }, nil
}

// SetupToken reads the set-up token; the empty secret when there is no such file.
func (d Dir) SetupToken() (secret.String, error) {
	data, err := os.ReadFile(d.SetupPath())
	if errors.Is(err, fs.ErrNotExist) {
		return secret.String{}, nil
	}
	if err != nil {
		return secret.String{}, fmt.Errorf("read set-up token: %w", err)
	}
	text := strings.TrimSpace(string(data))
	if session.CheckToken(text) != nil {
		return secret.String{}, nil // incomplete, or not ours: the caller replaces it
	}
	return secret.New(text), nil
}

// WriteSetupToken writes a new set-up token, with mode 0600, durably.
func (d Dir) WriteSetupToken(token secret.String) error {
	temp := d.SetupPath() + ".new"
	if err := os.Remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("write set-up token: %w", err)
	}
	f, err := os.OpenFile(temp, os.O_CREATE|os.O_EXCL|os.O_WRONLY|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return fmt.Errorf("write set-up token: %w", err)
	}
	_, err = f.WriteString(token.Reveal() + "\n")
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("write set-up token: %w", err)
	}
	if err := os.Rename(temp, d.SetupPath()); err != nil {
		return fmt.Errorf("write set-up token: %w", err)
	}
	return d.sync()
}

// RemoveSetupToken removes the file. It is no error if there is none.
func (d Dir) RemoveSetupToken() error {
	err := os.Remove(d.SetupPath())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("remove set-up token: %w", err)
	}
	return d.sync()
}

func (d Dir) sync() error {
	f, err := os.Open(d.path)
	if err != nil {
		return fmt.Errorf("sync data directory: %w", err)
	}
	if err := errors.Join(atomicfile.SyncDir(f), f.Close()); err != nil {
		return fmt.Errorf("sync data directory: %w", err)
	}
	return nil
}
