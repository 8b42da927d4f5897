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

// readOnlyRetry is after how many seconds a client whose request needed a write tries again.
const readOnlyRetry = 10

// Unwritable is the error of a Store that cannot write anything now: its disk is full, mounted
// read-only or broken. It can still be read.
type Unwritable struct {
	Reason string // protocol.ReadOnlyNoSpace, ReadOnlyMount or ReadOnlyFault
	Err    error  // nil if the file system reported it without a write
}

// Error names the reason, and what the database or the system reported.
func (u *Unwritable) Error() string {
	if u.Err == nil {
		return protocol.ReadOnlyText(u.Reason)
	}
	return fmt.Sprintf("%s: %v", protocol.ReadOnlyText(u.Reason), u.Err)
}

// Unwrap gives the database's error.
func (u *Unwritable) Unwrap() error { return u.Err }

// Problem is the answer to a request that needed a write.
func (u *Unwritable) Problem() *protocol.Problem {
	p := refuse(http.StatusServiceUnavailable, protocol.CodeReadOnly,
		protocol.ReadOnlyText(u.Reason)+", so nothing was changed; once that is mended it goes on by itself")
	p.RetryAfter = readOnlyRetry
	return p
}

// disk is a Store that knows whether it can be written. If it cannot, requests that only read are
// answered nevertheless (docs/spec/architecture.md#read-only-operation).
type disk struct {
	Store
	log  *slog.Logger
	fell chan struct{} // gets a value when the first write fails; buffered

	mu   sync.Mutex
	last *Unwritable // of the last write; nil: it succeeded
}

// Update implements Store. If nothing can be written, f is run once more on a read transaction: if
// it writes nothing its result counts, else it fails.
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

// note logs a change of the state once. nil: a write succeeded.
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
		default: // there is a value already
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

// state is why nothing can be written now, or nil: by the last write, else by what the file system
// reports.
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

// recovered records that a write succeeded. It counts only if there is space for more.
func (d *disk) recovered() {
	if d.failed() && d.Room() == nil {
		d.note(nil)
		d.Reserve()
	}
}

// takeAway runs a change that ends access. If the disk is full it uses the reserve for it.
func (b *Broker) takeAway(do func() error) error {
	err := do()
	u := (*Unwritable)(nil)
	if errors.As(err, &u) && u.Reason == protocol.ReadOnlyNoSpace && b.disk.Release() {
		b.log.Warn("the reserve on the full disk was used to take access away")
		err = do()
	}
	return err
}

// ReadOnly is why nothing can be written now, a reason of package protocol; empty: it can be
// written.
func (b *Broker) ReadOnly() string {
	if u := b.disk.state(); u != nil {
		return u.Reason
	}
	return ""
}
