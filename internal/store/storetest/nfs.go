package storetest

import (
	"fmt"
	"maps"
)

// LikeNFS makes the disk do from now on what a client of NFS does (a "silly rename"): a file
// that is removed or replaced while it is open stays under another name until it is closed,
// and its directory is not empty.
func (d *Disk) LikeNFS() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.kept = 0
}

// keep gives n, which lost its name in dir, another name if it is open. The disk is locked.
func (d *Disk) keep(dir, n *node) {
	if d.kept < 0 || n.opened == 0 {
		return
	}
	d.kept++
	dir.link(fmt.Sprintf(".nfs%08x", d.kept), n, d)
	n.gone = true
}

// closed ends one opening of n, and its other name with the last. The disk is locked.
func (d *Disk) closed(n *node) {
	if n.opened--; d.kept >= 0 && n.opened == 0 && n.gone {
		d.root.drop(n, d)
	}
}

// drop takes a file out of the directory below n that has it.
func (n *node) drop(file *node, d *Disk) {
	is := func(_ string, child *node) bool { return child == file }
	for name, child := range n.entries {
		if is(name, child) {
			n.do(func(entries map[string]*node) { maps.DeleteFunc(entries, is) }, d.now())
			return
		}
		child.drop(file, d)
	}
}
