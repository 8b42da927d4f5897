// Package slotdir keeps the directories in which a store has its slots. A home (for
// example ~/.agentkeys) has one directory for each session id, and a slot's directory has
// the head file session.json, two lock files, and state files such as cache.json.
//
// It guarantees that
//
//   - a directory or file is used only if it passed the checks: of the expected type and
//     owner, closed to other users, under one name, reached through no symbolic link.
//     Anything else is an InsecureError, which names the command that mends it, and is left
//     as it is;
//   - a file that was written is on the disk when the call returns, whole or not at all;
//   - work under the lock of a slot excludes other processes and other goroutines.
//
// It does not know what a head file says, and it never asks a keychain: both are the
// business of package store.
//
// A caller makes one Home with New, opens a slot with Open or Make, closes it, and changes
// it inside Locked only. Errors are told apart with errors.Is: fs.ErrNotExist (no such
// slot or file), ErrInsecure (a person must act), ErrBusy (try again), ErrTooLong; every
// other one is what the disk said.
package slotdir
