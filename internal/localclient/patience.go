package localclient

import (
	"context"
	"errors"
	"io"
	"syscall"
	"time"

	"github.com/agentkeys/agentkeys/internal/protocol"
)

// Patience is how long a call is repeated when the daemon ended a moment ago: its unit
// starts it again after 2 s (RestartSec=), and it then serves from its cache at once
// (docs/spec/architecture.md#waiting-for-a-daemon-that-restarts).
const Patience = 5 * time.Second

// The pauses between two attempts.
const (
	firstPause = 50 * time.Millisecond
	lastPause  = 400 * time.Millisecond
)

// NewPatient makes a client that waits for a daemon that is being restarted. where finds the
// socket before each attempt; when it returns an error, coming says whether a daemon is
// expected there, so that waiting makes sense.
func NewPatient(where func() (path string, coming bool, err error)) *Client {
	return &Client{where: where, patience: Patience}
}

// patiently repeats a request that got no answer; every request is a GET. Its errors are
// *protocol.Problem, *UnreachableError and those of where.
func (c *Client) patiently(ctx context.Context, ask func(socket string) error) error {
	began, pause := time.Now(), firstPause
	for {
		socket, again, err := c.where()
		if err == nil {
			if err = ask(socket); err == nil {
				return nil
			}
			if answer := (*protocol.Problem)(nil); errors.As(err, &answer) {
				return err
			}
			again = cutOff(err)
			err = &UnreachableError{Path: socket, Err: err}
		}
		if !again || time.Since(began)+pause > c.patience {
			return err
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return err
		case <-timer.C:
		}
		pause = min(2*pause, lastPause)
	}
}

// cutOff reports whether the daemon ended after it was found and before it answered.
func cutOff(err error) bool {
	for _, end := range []error{io.EOF, io.ErrUnexpectedEOF, syscall.ECONNREFUSED, syscall.ECONNRESET, syscall.EPIPE, syscall.ENOENT, syscall.EAGAIN} {
		if errors.Is(err, end) {
			return true
		}
	}
	return false
}
