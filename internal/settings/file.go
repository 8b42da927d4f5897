package settings

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
)

// maxFile is how many bytes a settings file may have.
const maxFile = 1 << 20

// ReadFile reads a settings file. fs.ErrNotExist: there is none; a link whose target is missing
// is another error, since its rules must not be left out while its disk is not mounted. What
// is not a file is refused without waiting for its writer.
func ReadFile(path string) ([]byte, error) {
	data, err := read(path)
	var at *fs.PathError
	if errors.As(err, &at) { // the caller names the path
		err = at.Err
	}
	return data, err
}

func read(path string) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		if _, lost := os.Lstat(path); lost == nil {
			return nil, errors.New("a link whose target does not exist")
		}
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // read only
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular() && info.Mode()&fs.ModeCharDevice == 0: // /dev/null is an empty file
		return nil, errors.New("not a file")
	}
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(data) > maxFile {
		err = fmt.Errorf("larger than %d bytes", maxFile)
	}
	return data, err
}
