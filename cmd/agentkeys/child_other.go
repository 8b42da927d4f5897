//go:build !linux

package main

import "syscall"

// endWithUs: only Linux can do it; elsewhere the program goes on, and its files go with
// the next `run --files`.
func endWithUs() *syscall.SysProcAttr { return nil }
