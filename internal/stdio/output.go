// Package stdio handles standard output and standard error of the programs when the
// process at their other end has closed them or does not read.
package stdio

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// ErrOutput is in every error of an Output: not the command failed but what became of its words.
var ErrOutput = errors.New("write standard output")

// SurvivePipes makes a write to a closed standard output or standard error return EPIPE.
// Every program calls it at its start. Without it the Go runtime ends the process by SIGPIPE
// (os/signal, "SIGPIPE"), which systemd counts as a clean exit. A program that this process
// executes has the system's default again, because the signal is handled and not ignored.
func SurvivePipes() {
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE) // never received: the write's error is what counts
}

// Output is standard output. It keeps the first write error, so that a command whose output
// did not arrive does not exit with 0. Where descriptor 1 is closed (`>&-`), the Go runtime has
// opened /dev/null in its place before main runs, so that this looks like `>/dev/null`. It is
// not safe for concurrent use.
type Output struct {
	to  io.Writer
	err error
}

// NewOutput returns an Output that writes to the given writer.
func NewOutput(to io.Writer) *Output { return &Output{to: to} }

// Write writes p to the writer and keeps the first error. Errors are ErrOutput.
func (o *Output) Write(p []byte) (int, error) {
	n, err := o.to.Write(p)
	if err != nil {
		err = fmt.Errorf("%w: %w", ErrOutput, err)
		if o.err == nil {
			o.err = err
		}
	}
	return n, err
}

// Err is the first write error, nil if there was none.
func (o *Output) Err() error { return o.err }

// Raw is the underlying writer, for callers that need the file itself: to ask for a
// terminal's size, or to pass it to a child process.
func (o *Output) Raw() io.Writer { return o.to }
