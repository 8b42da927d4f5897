package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	"github.com/agentkeys/agentkeys/internal/cli"
	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/secret"
)

// terminal is the file descriptor of standard input if that is a terminal.
func (a *app) terminal() (fd int, ok bool) {
	f, ok := a.stdin.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return 0, false
	}
	return int(f.Fd()), true
}

// errInterrupted: a person interrupted the command; what was asked for was not changed.
var errInterrupted = errors.New("interrupted")

// interruptibly runs a read that may never return, from a person or a pipe. An interruption ends the
// wait at once; the read itself ends with the program.
func interruptibly[T any](a *app, read func() (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	came := make(chan result, 1)
	go func() {
		value, err := read()
		came <- result{value, err}
	}()
	select {
	case r := <-came:
		return r.value, r.err
	case <-a.ctx.Done():
		_, _ = fmt.Fprintln(a.stderr) // end the line of the question
		var none T
		return none, errInterrupted
	}
}

// withoutLineEnd removes what an editor, echo or a file from Windows adds to a value: one final line
// feed, and a carriage return before it.
func withoutLineEnd(value secret.String) secret.String {
	text, ended := strings.CutSuffix(value.Reveal(), "\n")
	if ended {
		text = strings.TrimSuffix(text, "\r")
	}
	return secret.New(text)
}

// prompt asks a person for a secret without echo. From a pipe it reads everything.
func (a *app) prompt(question string) (secret.String, error) {
	fd, ok := a.terminal()
	if !ok {
		data, err := interruptibly(a, func() ([]byte, error) { return readLimited(a.lines, "standard input") })
		return secret.New(string(data)), err
	}
	before, err := term.GetState(fd)
	if err != nil {
		return secret.String{}, fmt.Errorf("ask the terminal: %w", err)
	}
	if _, err := fmt.Fprint(a.stderr, question+": "); err != nil {
		return secret.String{}, err
	}
	data, err := interruptibly(a, func() ([]byte, error) { return term.ReadPassword(fd) })
	if errors.Is(err, errInterrupted) {
		return secret.String{}, errors.Join(err, term.Restore(fd, before)) // turn the echo on again
	}
	_, _ = fmt.Fprintln(a.stderr) // the newline that was not echoed
	if err != nil {
		return secret.String{}, fmt.Errorf("read from the terminal: %w", err)
	}
	return secret.New(string(data)), nil
}

// readSecretFile reads a secret from a file as it is; "-" is standard input.
func (a *app) readSecretFile(name string) (secret.String, error) {
	if name == "-" {
		data, err := interruptibly(a, func() ([]byte, error) { return readLimited(a.lines, "standard input") })
		return secret.New(string(data)), err
	}
	f, err := os.Open(name)
	if err != nil {
		return secret.String{}, err
	}
	defer func() { _ = f.Close() }() // only read
	data, err := readLimited(f, name)
	return secret.New(string(data)), err
}

// readLimited refuses more than the largest credential before it is read into memory.
func readLimited(r io.Reader, name string) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, protocol.MaxRecord+3)) // with a line end
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	if len(data) > protocol.MaxRecord+2 {
		return nil, cli.Usage(fmt.Sprintf("a value has at most %d bytes", protocol.MaxRecord), "")
	}
	return data, nil
}

// confirm asks y/N on standard error. Anything but y or yes, and no answer, counts as no.
func (a *app) confirm(question string) (bool, error) {
	if _, err := fmt.Fprint(a.stderr, question+" [y/N] "); err != nil {
		return false, err
	}
	line, err := interruptibly(a, func() (string, error) { return a.lines.ReadString('\n') })
	if err != nil && !errors.Is(err, io.EOF) {
		return false, fmt.Errorf("read the answer: %w", err)
	}
	answer := strings.ToLower(strings.TrimSpace(line))
	return answer == "y" || answer == "yes", nil
}
