// Package harden protects the memory of this process from other processes of the same
// user and from core files. Every program calls it first, the keychain child included.
package harden

import "fmt"

// Process makes this process undumpable and sets its core limit to 0. On Linux an
// undumpable process writes no core file, and other processes of the same user cannot
// open its /proc/<pid>/mem, environ and root, nor trace it. Process does as much as it can;
// an error says what could not be done, and the caller reports it and continues. A program
// that this process executes keeps only the core limit.
func Process() error {
	if err := protect(); err != nil {
		return fmt.Errorf("harden process: %w", err)
	}
	return nil
}
