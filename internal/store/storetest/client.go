package storetest

import (
	"context"
	"errors"

	"github.com/agentkeys/agentkeys/internal/store"
	"github.com/agentkeys/agentkeys/internal/words"
)

var errRefused = errors.New("the keychain refused")

// Client is one process's way to a Keyring. It is a store.Keychain.
type Client struct {
	ring    *Keyring
	process *Process // nil = never dies
}

// Client connects a process; its CrashAfter counts keychain calls too: before a
// call and between what it does and its answer.
func (r *Keyring) Client(p *Process) *Client { return &Client{ring: r, process: p} }

func (c *Client) alive() error {
	if c.process == nil {
		return nil
	}
	return c.process.try(func() error { return nil })
}

// Probe is ProbeNow: nothing is cached.
func (c *Client) Probe(ctx context.Context) store.Probe { return c.ProbeNow(ctx) }

// ProbeNow tells the ring's state.
func (c *Client) ProbeNow(context.Context) (p store.Probe) {
	if c.alive() != nil {
		return store.Probe{State: words.KeychainHung}
	}
	c.ring.locked(func() { c.ring.calls["probe"]++; p = c.ring.probe() })
	return p
}

// MaxValue is what SetMax said.
func (c *Client) MaxValue() (n int) { c.ring.locked(func() { n = c.ring.max }); return n }

// Get reads an entry, or fails as scripted.
func (c *Client) Get(ctx context.Context, account string) (value string, err error) {
	err = c.call(ctx, OperationGet, account, func(f Fault) error {
		text, ok := c.ring.items[account]
		if ok && (f == FaultFalseReply || f == FaultFalseReplyLate) {
			c.ring.deny(account)
			ok = false
		}
		if !ok {
			return store.ErrKeychainAbsent
		}
		value = text
		return nil
	})
	if err != nil {
		return "", err
	}
	return value, nil
}

// Put stores an entry, or fails as scripted.
func (c *Client) Put(ctx context.Context, account, value string) error {
	return c.write(ctx, OperationPut, lateWrite{account: account, value: value})
}

// Delete removes an entry, or fails as scripted.
func (c *Client) Delete(ctx context.Context, account string) error {
	return c.write(ctx, OperationDelete, lateWrite{account: account, remove: true})
}

func (c *Client) write(ctx context.Context, op Operation, w lateWrite) error {
	return c.call(ctx, op, w.account, func(f Fault) error {
		switch f {
		case FaultHang, FaultFalseReplyLate:
			w.done = f == FaultFalseReplyLate
			c.ring.late = append(c.ring.late, w)
		case FaultNone, FaultDone, FaultDoneHang:
			c.ring.apply(w)
		}
		return nil
	})
}

// call does one operation with the fault that the script chose for it.
func (c *Client) call(ctx context.Context, op Operation, account string, do func(Fault) error) error {
	if err := c.alive(); err != nil {
		return err
	}
	var fault Fault
	var wait bool
	err := ctx.Err()
	c.ring.locked(func() {
		fault, wait = c.ring.next(op, account), c.ring.wait
		if fault != FaultError && err == nil {
			err = do(fault)
		}
	})
	if dead := c.alive(); dead != nil {
		return dead
	}
	switch fault {
	case FaultError, FaultDone:
		return errRefused
	case FaultHang, FaultLost, FaultDoneHang:
		if wait {
			<-ctx.Done()
		}
		return context.DeadlineExceeded
	}
	return err
}
