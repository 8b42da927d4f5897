//go:build !linux

package pty

import (
	"errors"
	"os"
)

func open(int) (screen, file *os.File, err error) { return nil, nil, errors.ErrUnsupported }
