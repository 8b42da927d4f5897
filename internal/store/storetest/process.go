package storetest

import (
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/agentkeys/agentkeys/internal/atomicfile"
)

// Process is the disk as one process sees it. It is an atomicfile.FS.
type Process struct {
	disk    *Disk
	dead    bool
	crashIn int // 0 = never
	steps   int

	pauseIn int    // 0 = never
	pause   func() // what happens then
	busy    func() // what happens when a lock is taken; nil = nothing
}

// Process starts a process.
func (d *Disk) Process() *Process { return &Process{disk: d} }

// CrashAfter lets n more operations happen, on this disk and on the Keyring's clients
// of this process, and kills the process at the next one; -1 takes that back.
func (p *Process) CrashAfter(n int) { p.locked(func() { p.crashIn = n + 1 }) }

// Interrupt lets n more operations happen and runs f before the next one, once: what
// others do while a call of this process is under way. f may use the disk; nil takes
// an earlier Interrupt back.
func (p *Process) Interrupt(n int, f func()) {
	p.locked(func() { p.pauseIn, p.pause = n+1, f })
}

// WhenBusy calls f whenever this process finds a lock taken; nil = nothing. A test
// ends the context of the call there: the holder waits for the test.
func (p *Process) WhenBusy(f func()) { p.locked(func() { p.busy = f }) }

func (p *Process) foundBusy() {
	var f func()
	p.locked(func() { f = p.busy })
	if f != nil {
		f()
	}
}

// Steps is how many operations happened.
func (p *Process) Steps() (n int) { p.locked(func() { n = p.steps }); return n }

// Dead reports whether the process was killed.
func (p *Process) Dead() (dead bool) { p.locked(func() { dead = p.dead }); return dead }

// Kill ends the process between two operations: its locks are free, what it wrote
// is seen by others.
func (p *Process) Kill() { p.locked(p.die) }

func (p *Process) locked(f func()) {
	p.disk.mu.Lock()
	defer p.disk.mu.Unlock()
	f()
}

func (p *Process) die() {
	p.dead = true
	for n, holder := range p.disk.locks {
		if holder == p {
			delete(p.disk.locks, n)
			p.disk.closed(n)
		}
	}
}

// step begins an operation; the disk is locked.
func (p *Process) step() error {
	if p.crashIn > 0 {
		if p.crashIn--; p.crashIn == 0 {
			p.die()
		}
	}
	if p.dead {
		return ErrCrashed
	}
	p.steps++
	return nil
}

// interruption runs what Interrupt asked for if its time has come.
func (p *Process) interruption() {
	var now func()
	p.locked(func() {
		if p.pause == nil {
			return
		}
		if p.pauseIn--; p.pauseIn == 0 {
			now, p.pause = p.pause, nil
		}
	})
	if now != nil {
		now()
	}
}

// try runs one operation.
func (p *Process) try(f func() error) error {
	p.interruption()
	p.disk.mu.Lock()
	defer p.disk.mu.Unlock()
	if err := p.step(); err != nil {
		return err
	}
	return f()
}

// OpenDir opens an existing directory.
func (p *Process) OpenDir(name string) (atomicfile.Dir, error) {
	d := &memDir{p: p}
	return d, p.try(func() (err error) {
		d.node, err = p.disk.find(name)
		return err
	})
}

// MakeDir makes name and its parents, each one operation and its sync another.
func (p *Process) MakeDir(name string, perm fs.FileMode) error {
	if name == "/" {
		return nil
	}
	if err := p.MakeDir(path.Dir(name), perm); err != nil {
		return err
	}
	var parent *node
	err := p.try(func() (err error) {
		if parent, err = p.disk.find(path.Dir(name)); err != nil {
			return err
		}
		if parent.entries[path.Base(name)] == nil {
			parent.link(path.Base(name), p.disk.newNode(fs.ModeDir|perm), p.disk)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return p.try(func() error { parent.sync(); return nil })
}

func (d *Disk) find(name string) (*node, error) {
	n := d.root
	for part := range strings.FieldsFuncSeq(name, func(r rune) bool { return r == '/' }) {
		child, ok := n.entries[part]
		if !ok {
			return nil, fmt.Errorf("%s: %w", name, fs.ErrNotExist)
		}
		n = child
	}
	return n, nil
}

func (n *node) link(name string, child *node, d *Disk) {
	n.do(func(entries map[string]*node) { entries[name] = child }, d.now())
}

func (n *node) info() atomicfile.Info {
	return atomicfile.Info{Mode: n.mode, UID: n.uid, GID: n.gid, Links: 1, Size: int64(len(n.data)), ModTime: n.mod}
}
