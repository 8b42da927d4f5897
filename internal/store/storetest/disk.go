// Package storetest has what session stores are tested with: a disk in memory that loses
// power (Disk, Process), a keychain that hangs, gives false replies and does operations late
// (Keyring, Client), the model of what a reader of a slot may see (Ledger), and the suite
// that every keychain adapter passes (RunKeychain).
package storetest

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"slices"
	"sync"
	"time"
)

// ErrCrashed is what every operation of a dead process returns.
var ErrCrashed = errors.New("the process is dead")

// Disk is a file system in memory. What was not synced may be lost or torn by
// PowerCut; a process may die before any operation (Process.CrashAfter).
type Disk struct {
	mu    sync.Mutex
	root  *node
	now   func() time.Time
	locks map[*node]*Process

	kept int // names given so far to files that were removed while open; -1: as on a local disk
}

// NewDisk makes an empty disk; nil means time.Now. Files get the real user's id.
func NewDisk(now func() time.Time) *Disk {
	if now == nil {
		now = time.Now
	}
	d := &Disk{now: now, locks: map[*node]*Process{}, kept: -1}
	d.root = d.newNode(fs.ModeDir | 0o700)
	return d
}

// node is a file or a directory: what a process sees, and what is on the platter.
type node struct {
	mode     fs.FileMode
	uid, gid int
	mod      time.Time
	gone     bool // removed while it is open
	opened   int  // how often it is open

	data, durable []byte

	entries, durableEntries map[string]*node
	journal                 []change // of entries, not synced yet
}

// change is one atomic change of a directory.
type change func(map[string]*node)

func (d *Disk) newNode(mode fs.FileMode) *node {
	n := &node{mode: mode, uid: os.Geteuid(), gid: os.Getegid(), mod: d.now()}
	if mode.IsDir() {
		n.entries, n.durableEntries = map[string]*node{}, map[string]*node{}
	}
	return n
}

func (n *node) do(c change, at time.Time) {
	c(n.entries)
	n.journal = append(n.journal, c)
	n.mod = at
}

func (n *node) sync() {
	n.durable = slices.Clone(n.data)
	if n.entries != nil {
		n.durableEntries, n.journal = maps.Clone(n.entries), nil
	}
}

// PowerCut kills the given processes and brings the disk to a state that a crash
// may leave: of each directory's unsynced changes any number from the first on is
// kept; unsynced bytes are the old ones, the new ones, a part, or NUL. choose(n)
// gives a number below n.
func (d *Disk) PowerCut(choose func(n int) int, processes ...*Process) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, p := range processes {
		p.die()
	}
	d.root.lose(choose)
}

func (n *node) lose(choose func(int) int) {
	if n.entries == nil {
		n.tear(choose)
		return
	}
	for _, c := range n.journal[:choose(len(n.journal)+1)] {
		c(n.durableEntries)
	}
	n.entries, n.journal = maps.Clone(n.durableEntries), nil
	for _, name := range slices.Sorted(maps.Keys(n.entries)) {
		n.entries[name].gone = false
		n.entries[name].lose(choose)
	}
}

func (n *node) tear(choose func(int) int) {
	if slices.Equal(n.data, n.durable) {
		return
	}
	switch choose(4) {
	case 0:
		n.data = slices.Clone(n.durable)
	case 1:
		n.data = n.data[:choose(len(n.data)+1)]
	case 2:
		n.data = make([]byte, len(n.data))
	}
	n.durable = slices.Clone(n.data)
}

// Files gives every file that a process sees now, by path.
func (d *Disk) Files() map[string]string {
	d.mu.Lock()
	defer d.mu.Unlock()
	files := map[string]string{}
	d.root.walk("", files)
	return files
}

func (n *node) walk(path string, files map[string]string) {
	if n.entries == nil {
		files[path] = string(n.data)
		return
	}
	for name, child := range n.entries {
		child.walk(path+"/"+name, files)
	}
}
