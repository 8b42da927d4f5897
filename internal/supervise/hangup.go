package supervise

import (
	"os"
	"os/signal"
	"syscall"
)

// Hangups are the SIGHUPs that a process got. A program that loads again on SIGHUP must
// not be ended by one that comes while it starts.
type Hangups struct{ caught chan os.Signal }

// CatchHangups is a first act of a process: from here on SIGHUP does not end it.
func CatchHangups() *Hangups {
	h := &Hangups{caught: make(chan os.Signal, 1)}
	signal.Notify(h.caught, syscall.SIGHUP)
	return h
}

// Caught has one SIGHUP for those that came since the last one was received.
func (h *Hangups) Caught() <-chan os.Signal { return h.caught }

// Release is for a command that ends by itself, and with its terminal: SIGHUP does again
// what it did before, also one that was caught.
func (h *Hangups) Release() {
	signal.Stop(h.caught)
	select {
	case <-h.caught:
		_ = syscall.Kill(os.Getpid(), syscall.SIGHUP) // to oneself: cannot fail
	default:
	}
}
