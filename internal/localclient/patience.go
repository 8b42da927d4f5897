package localclient

import (
	"context"
	"errors"
	"io"
	"syscall"
	"time"

	"github.com/agentkeys/agentkeys/internal/protocol"
)

// Patience is how long a call is repeated for a daemon that ended a moment ago: its unit
// starts it again after 2 s (RestartSec=), and it serves from its cache at once.
const Patience = 5 * time.Second

// The pauses between two tries.
const (
	firstPause = 50 * time.Millisecond
	lastPause  = 400 * time.Millisecond
)

// NewPatient makes a client for which a daemon that is started again is a moment's wait
// and no error. where finds the socket before each try; with an error, coming says that a
// daemon has its place there, so that it is worth while to wait.
func NewPatient(where func() (path string, coming bool, err error)) *Client {
	return &Client{where: where, patience: Patience}
}

// patiently repeats a question that had no answer; every one is a GET. Its errors are
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

// cutOff reports whether a daemon ended between being found and its answer.
func cutOff(err error) bool {
	for _, end := range []error{io.EOF, io.ErrUnexpectedEOF, syscall.ECONNREFUSED, syscall.ECONNRESET, syscall.EPIPE, syscall.ENOENT, syscall.EAGAIN} {
		if errors.Is(err, end) {
			return true
		}
	}
	return false
}
