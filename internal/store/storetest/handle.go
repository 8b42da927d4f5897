package storetest

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"
	"syscall"

	"github.com/agentkeys/agentkeys/internal/atomicfile"
)

// memDir is an open directory.
type memDir struct {
	p    *Process
	node *node
}

func (d *memDir) Close() error { return nil }

func (d *memDir) Stat() (i atomicfile.Info, err error) {
	err = d.p.try(func() error { i = d.node.info(); return nil })
	return i, err
}

func (d *memDir) Lstat(name string) (i atomicfile.Info, err error) {
	err = d.p.try(func() error {
		n, ok := d.node.entries[name]
		if !ok {
			return fs.ErrNotExist
		}
		i = n.info()
		return nil
	})
	return i, err
}

func (d *memDir) child(name string, wantDir bool) (*node, error) {
	n, ok := d.node.entries[name]
	if !ok {
		return nil, fmt.Errorf("%s: %w", name, fs.ErrNotExist)
	}
	if n.mode.IsDir() != wantDir {
		return nil, fmt.Errorf("%s: %w", name, atomicfile.ErrWrongType)
	}
	return n, nil
}

func (d *memDir) Open(name string) (atomicfile.File, error) {
	f := &memFile{p: d.p}
	return f, d.p.try(func() (err error) {
		if f.node, err = d.child(name, false); err == nil {
			f.node.opened++
		}
		return err
	})
}

func (d *memDir) OpenDir(name string) (atomicfile.Dir, error) {
	sub := &memDir{p: d.p}
	return sub, d.p.try(func() (err error) { sub.node, err = d.child(name, true); return err })
}

func (d *memDir) Create(name string) (atomicfile.File, error) {
	f := &memFile{p: d.p}
	return f, d.p.try(func() error {
		if d.node.gone {
			return fs.ErrNotExist
		}
		if d.node.entries[name] != nil {
			return fs.ErrExist
		}
		f.node = d.p.disk.newNode(0o600)
		f.node.opened++
		d.node.link(name, f.node, d.p.disk)
		return nil
	})
}

func (d *memDir) Mkdir(name string) error {
	return d.p.try(func() error {
		if d.node.entries[name] != nil {
			return fs.ErrExist
		}
		d.node.link(name, d.p.disk.newNode(fs.ModeDir|0o700), d.p.disk)
		return nil
	})
}

func (d *memDir) Rename(from, to string) error {
	return d.p.try(func() error {
		if d.node.entries[from] == nil {
			return fs.ErrNotExist
		}
		over := d.node.entries[to]
		d.node.do(func(entries map[string]*node) {
			if n := entries[from]; n != nil {
				entries[to] = n
				delete(entries, from)
			}
		}, d.p.disk.now())
		if over != nil && over != d.node.entries[to] {
			d.p.disk.keep(d.node, over)
		}
		return nil
	})
}

func (d *memDir) Remove(name string) error {
	return d.p.try(func() error {
		n := d.node.entries[name]
		if n == nil {
			return fs.ErrNotExist
		}
		if len(n.entries) > 0 {
			return fmt.Errorf("%s is not empty: %w", name, fs.ErrExist)
		}
		if d.p.disk.kept >= 0 && atomicfile.IsSilly(name) && n.opened > 0 {
			return syscall.EBUSY
		}
		n.gone = true
		d.node.do(func(entries map[string]*node) { delete(entries, name) }, d.p.disk.now())
		d.p.disk.keep(d.node, n)
		return nil
	})
}

func (d *memDir) Names() (names []string, err error) {
	err = d.p.try(func() error { names = slices.Sorted(maps.Keys(d.node.entries)); return nil })
	return names, err
}

func (d *memDir) Chown(uid, gid int) error {
	return d.p.try(func() error { d.node.uid, d.node.gid = uid, gid; return nil })
}

func (d *memDir) CanSync() (bool, error) { return true, d.Sync() }

func (d *memDir) Sync() error { return d.p.try(func() error { d.node.sync(); return nil }) }

func (d *memDir) Lock(name string) (io.Closer, error) {
	l := &memLock{p: d.p}
	err := d.p.try(func() error {
		if d.node.gone {
			return fs.ErrNotExist
		}
		n := d.node.entries[name]
		if n == nil {
			n = d.p.disk.newNode(0o600)
			d.node.link(name, n, d.p.disk)
		}
		if d.p.disk.locks[n] != nil {
			return atomicfile.ErrLocked
		}
		d.p.disk.locks[n] = d.p
		n.opened++
		l.node = n
		return nil
	})
	if errors.Is(err, atomicfile.ErrLocked) {
		d.p.foundBusy()
	}
	return l, err
}

type memLock struct {
	p    *Process
	node *node
}

func (l *memLock) Close() error {
	l.p.locked(func() {
		if l.p.disk.locks[l.node] == l.p {
			delete(l.p.disk.locks, l.node)
			l.p.disk.closed(l.node)
		}
	})
	return nil
}

// memFile is an open file.
type memFile struct {
	p    *Process
	node *node
	at   int
}

func (f *memFile) Close() error {
	f.p.locked(func() {
		if f.node != nil {
			f.p.disk.closed(f.node)
		}
	})
	return nil
}

func (f *memFile) Stat() (i atomicfile.Info, err error) {
	err = f.p.try(func() error { i = f.node.info(); return nil })
	return i, err
}

func (f *memFile) Chown(uid, gid int) error {
	return f.p.try(func() error { f.node.uid, f.node.gid = uid, gid; return nil })
}

func (f *memFile) Sync() error { return f.p.try(func() error { f.node.sync(); return nil }) }

func (f *memFile) Read(b []byte) (n int, err error) {
	f.p.locked(func() {
		if n = copy(b, f.node.data[f.at:]); n == 0 && len(b) > 0 {
			err = io.EOF
		}
		f.at += n
	})
	return n, err
}

// Write is torn when the process dies in it.
func (f *memFile) Write(b []byte) (n int, err error) {
	f.p.interruption()
	f.p.locked(func() {
		wasDead := f.p.dead
		if err = f.p.step(); err == nil {
			n = len(b)
		} else if !wasDead {
			n = len(b) / 2
		}
		f.node.data = append(f.node.data, b[:n]...)
	})
	return n, err
}
