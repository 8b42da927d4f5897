// Package stdio is what the programs share at their edge: what becomes of standard
// output and standard error when nobody reads them any more.
package stdio

import (
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// SurvivePipes is a first act of every program. From then on a write to standard output
// or standard error whose reader is gone returns EPIPE. Go otherwise ends the process by
// SIGPIPE (os/signal, "SIGPIPE"), which systemd counts as a clean end. A program that is
// executed afterwards has the system's default again: the signal is handled, not ignored.
func SurvivePipes() {
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE) // nobody receives: the write's error says it
}

// Output is standard output. It remembers the first write that failed, so that a command
// whose words did not arrive does not end as if it had said them. It is not safe for
// concurrent use.
type Output struct {
	to  io.Writer
	err error
}

// NewOutput writes to the writer given.
func NewOutput(to io.Writer) *Output { return &Output{to: to} }

// Write passes p on.
func (o *Output) Write(p []byte) (int, error) {
	n, err := o.to.Write(p)
	if err != nil && o.err == nil {
		o.err = fmt.Errorf("write standard output: %w", err)
	}
	return n, err
}

// Err is the first write that failed, nil where all arrived.
func (o *Output) Err() error { return o.err }

// Raw is the writer behind, for what needs the file itself: a terminal's size, or a child
// that is to inherit it.
func (o *Output) Raw() io.Writer { return o.to }
