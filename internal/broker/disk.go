package broker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"

	"github.com/agentkeys/agentkeys/internal/protocol"
)

// readOnlyRetry is when a client asks again that wanted something written, in seconds.
const readOnlyRetry = 10

// Unwritable is the error of a Store that cannot write anything now, whatever it is
// asked: its disk is full, mounted read-only or broken. What it reads is good.
type Unwritable struct {
	Reason string // protocol.ReadOnlyNoSpace, ReadOnlyMount or ReadOnlyFault
	Err    error  // nil where the file system said it by itself
}

// Error says which of the three, and what the database or the system said.
func (u *Unwritable) Error() string {
	if u.Err == nil {
		return protocol.ReadOnlyText(u.Reason)
	}
	return fmt.Sprintf("%s: %v", protocol.ReadOnlyText(u.Reason), u.Err)
}

// Unwrap gives what the database said.
func (u *Unwritable) Unwrap() error { return u.Err }

// Problem is what a client is told that wanted something written.
func (u *Unwritable) Problem() *protocol.Problem {
	p := refuse(http.StatusServiceUnavailable, protocol.CodeReadOnly,
		protocol.ReadOnlyText(u.Reason)+", so nothing was changed; once that is mended it goes on by itself")
	p.RetryAfter = readOnlyRetry
	return p
}

// disk is a Store that knows whether it can be written. Where it cannot, a request that
// only reads is answered all the same.
type disk struct {
	Store
	log  *slog.Logger
	fell chan struct{} // told when the first write fails; buffered

	mu   sync.Mutex
	last *Unwritable // of the last write; nil: nothing is wrong
}

// Update implements Store. Where nothing can be written f is run once more on what can
// be read: either it writes nothing, then that is its answer, or it fails.
func (d *disk) Update(ctx context.Context, f func(Tx) error) error {
	err := d.Store.Update(ctx, f)
	var u *Unwritable
	if !errors.As(err, &u) {
		return err
	}
	d.note(u)
	read := d.View(ctx, f)
	if p := (*protocol.Problem)(nil); read == nil || errors.As(read, &p) {
		return read
	}
	return err
}

// note logs a change once. nil: a write succeeded.
func (d *disk) note(u *Unwritable) {
	d.mu.Lock()
	before := d.last
	d.last = u
	d.mu.Unlock()
	switch {
	case u != nil && (before == nil || before.Reason != u.Reason):
		d.log.Error("the database cannot be written: only what reads is answered", "reason", u.Reason, "error", u.Error())
		select {
		case d.fell <- struct{}{}:
		default: // told already
		}
	case u == nil && before != nil:
		d.log.Info("the database can be written again")
	}
}

// failed reports whether the last write failed.
func (d *disk) failed() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.last != nil
}

// state is why nothing can be written now, or nil: by the last write, else by what the
// file system says of itself.
func (d *disk) state() *Unwritable {
	d.mu.Lock()
	last := d.last
	d.mu.Unlock()
	if last != nil {
		return last
	}
	var u *Unwritable
	if errors.As(d.Room(), &u) {
		return u
	}
	return nil
}

// recovered says that something was written; it counts where there is room for more.
func (d *disk) recovered() {
	if d.failed() && d.Room() == nil {
		d.note(nil)
		d.Reserve()
	}
}

// takeAway does what ends somebody's access. A full disk is no reason to leave it: there
// is a reserve.
func (b *Broker) takeAway(do func() error) error {
	err := do()
	u := (*Unwritable)(nil)
	if errors.As(err, &u) && u.Reason == protocol.ReadOnlyNoSpace && b.disk.Release() {
		b.log.Warn("the reserve on the full disk was used to take access away")
		err = do()
	}
	return err
}

// ReadOnly is why nothing can be written now, a reason of package protocol; empty:
// everything can.
func (b *Broker) ReadOnly() string {
	if u := b.disk.state(); u != nil {
		return u.Reason
	}
	return ""
}
