//go:build !linux

package main

import "syscall"

// endWithUs does nothing, since only Linux can do it. Elsewhere the program continues to run, and
// the next `run --files` removes its files.
func endWithUs() *syscall.SysProcAttr { return nil }
