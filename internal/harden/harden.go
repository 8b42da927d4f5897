// Package harden keeps the memory of this process from others of the same user and
// from core files. It is the first act of every program of ours, the keychain child
// included.
package harden

import "fmt"

// Process makes this process undumpable (Linux: no core file, and /proc/<pid>/mem,
// environ, root and ptrace are closed to others of the same uid) and sets its core
// limit to 0. It does as much as it can; an error says what could not be done, and
// the caller reports it and goes on. It is not undone, and a program that is
// executed afterwards keeps only the core limit.
func Process() error {
	if err := protect(); err != nil {
		return fmt.Errorf("harden process: %w", err)
	}
	return nil
}
