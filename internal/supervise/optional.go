package supervise

import (
	"context"
	"errors"
	"net"
	"time"

	"github.com/agentkeys/agentkeys/internal/retry"
)

// Optional is a listener beside the work: what happens to it never ends the program. An
// address that is taken, not there yet (a VPN, DHCP) or lost later is told and tried
// again for as long as the program runs.
type Optional struct {
	Name   string
	Listen func(ctx context.Context) (net.Listener, error)
	// Serve answers on l until ctx ends, and closes it.
	Serve func(ctx context.Context, l net.Listener) error
	// Told hears each time whether it listens (nil) or why not. It may look for the reason:
	// ctx bounds that.
	Told   func(ctx context.Context, err error)
	Random func() float64 // [0,1)
}

// ErrNotServing: the listener was there, and its server ended without a reason.
var ErrNotServing = errors.New("the server ended")

// steady is how long a listener must have served for its next failure to be a first one.
const steady = time.Minute

// optionalBackoff is short at first, when a port is about to become free, and costs an
// idle board at most one look a minute afterwards.
func optionalBackoff() retry.Backoff { return retry.Backoff{Min: time.Second, Max: time.Minute} }

// Task is ready at once and returns nil, when ctx ends.
func (o Optional) Task() Task { return Func(o.Name, o.run) }

func (o Optional) run(ctx context.Context) error {
	for failures := 0; ; failures++ {
		began := time.Now()
		err := o.once(ctx)
		if ctx.Err() != nil {
			return nil
		}
		o.Told(ctx, err)
		if time.Since(began) >= steady {
			failures = 0
		}
		timer := time.NewTimer(optionalBackoff().After(failures, o.Random(), 0))
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
		}
	}
}

// once listens and serves; it says why that ended.
func (o Optional) once(ctx context.Context) error {
	l, err := o.Listen(ctx)
	if err != nil {
		return err
	}
	o.Told(ctx, nil)
	if err := o.Serve(ctx, l); err != nil {
		return err
	}
	return ErrNotServing
}
