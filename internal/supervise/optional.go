package supervise

import (
	"context"
	"errors"
	"net"
	"time"

	"github.com/agentkeys/agentkeys/internal/retry"
)

// Optional is a listener whose failure never ends the program. If its address is taken,
// missing (a VPN, DHCP) or lost later, that is reported and the listener is tried again for as
// long as the program runs (docs/spec/architecture.md#optional-listeners).
type Optional struct {
	Name   string
	Listen func(ctx context.Context) (net.Listener, error)
	// Serve serves on l until ctx ends, and closes l.
	Serve func(ctx context.Context, l net.Listener) error
	// Told is called each time with nil when it listens, or with the reason why it does not.
	// It may look for more about the reason until ctx ends.
	Told   func(ctx context.Context, err error)
	Random func() float64 // [0,1)
}

// ErrNotServing: the server of the listener ended without an error.
var ErrNotServing = errors.New("the server ended")

// steady is how long a listener must have served for its next failure to count as the first.
const steady = time.Minute

// optionalBackoff is short at first, for a port that is about to become free, and later costs
// an idle board at most one attempt a minute.
func optionalBackoff() retry.Backoff { return retry.Backoff{Min: time.Second, Max: time.Minute} }

// Task is a task that is ready at once and returns nil when ctx ends.
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

// once listens and serves once, and returns why that ended.
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
