// Package atomicfile replaces a file so that a reader, and the disk after a crash or a power
// cut, has either the old content or the new one. It works on directory handles, so no path
// is resolved twice and no link is followed.
//
// When Write returned nil, the new content is durable: the file was synced before it got its
// name, and the directory after that. A file is made with mode 0600 and belongs to the owner of
// its directory.
//
// The caller opens a directory with System.OpenDir, takes a lock in it with Dir.Lock where other
// processes write too, and writes with Write; Clean removes what an interrupted Write left.
// Before it relies on a directory that it does not know, it tries with Trial.Try whether the
// file system does what Write needs: some mounts keep no modes, no owners or no locks.
package atomicfile

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

const (
	tempPrefix = "."
	tempSuffix = ".tmp"
)

// Write replaces the content of name in dir by data, with mode 0600. When it returns nil the
// change is durable: the file was synced before the rename, the directory after it. After an
// error the old file is still there, or, if only the last sync failed, the new one. A new file
// belongs to the owner of the directory.
func Write(dir Dir, name string, data []byte) error {
	temp, err := stage(dir, name, data)
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	if err := dir.Rename(temp, name); err != nil {
		_ = dir.Remove(temp) // the rename's error says more; Clean removes a file that stays
		return fmt.Errorf("write %s: %w", name, err)
	}
	if err := dir.Sync(); err != nil {
		return fmt.Errorf("sync directory of %s: %w", name, err)
	}
	return nil
}

func stage(dir Dir, name string, data []byte) (temp string, err error) {
	var random [8]byte
	_, _ = rand.Read(random[:])
	temp = tempPrefix + name + "." + hex.EncodeToString(random[:]) + tempSuffix
	f, err := dir.Create(temp)
	if err != nil {
		return "", err
	}
	if err = fill(dir, f, data); err != nil {
		_ = dir.Remove(temp) // see Write
	}
	return temp, err
}

func fill(dir Dir, f File, data []byte) error {
	err := inheritOwner(dir, f)
	if err == nil {
		_, err = f.Write(data)
	}
	if err == nil {
		err = f.Sync()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	return err
}

// inheritOwner gives a file that root made in another user's directory to that user.
func inheritOwner(dir Dir, f File) error {
	own, err := f.Stat()
	if err != nil {
		return err
	}
	want, err := dir.Stat()
	if err != nil || own.UID == want.UID {
		return err
	}
	return f.Chown(want.UID, want.GID)
}

// Clean removes what interrupted Writes left in dir, and what an NFS client that stopped left
// of the files that Writes replaced. The caller holds the lock that every Write to dir
// requires.
func Clean(dir Dir) error {
	names, err := dir.Names()
	if err != nil {
		return fmt.Errorf("list left-over files: %w", err)
	}
	for _, name := range names {
		err := error(nil)
		switch {
		case isLeftover(name):
			err = dir.Remove(name)
		case IsSilly(name):
			_ = dir.Remove(name) // a process that has it open keeps it (EBUSY)
		}
		if err != nil {
			return fmt.Errorf("remove left-over file: %w", err)
		}
	}
	return nil
}

// IsSilly reports whether name is one that an NFS client, or a file system in user space, gives
// to a file that is removed or replaced while it is open (a "silly rename"). The file vanishes
// when it is closed, and until then its directory is not empty.
func IsSilly(name string) bool {
	return strings.HasPrefix(name, ".nfs") || strings.HasPrefix(name, ".fuse_hidden")
}

// HasLeftovers reports whether Clean has something to remove, or a Write is in progress.
func HasLeftovers(dir Dir) (bool, error) {
	names, err := dir.Names()
	if err != nil {
		return false, fmt.Errorf("list left-over files: %w", err)
	}
	return slices.ContainsFunc(names, isLeftover), nil
}

func isLeftover(name string) bool {
	return strings.HasPrefix(name, tempPrefix) && strings.HasSuffix(name, tempSuffix)
}
