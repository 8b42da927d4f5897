package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log/slog"
	"os/signal"
	"strings"
	"syscall"

	"github.com/agentkeys/agentkeys/internal/cli"
	"github.com/agentkeys/agentkeys/internal/harden"
	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/stdio"
	"github.com/agentkeys/agentkeys/internal/store/keychain"
)

// app is one run of the program: its arguments and its streams.
type app struct {
	ctx     context.Context
	args    []string // as typed, the program first
	global  global
	environ []string
	stdin   io.Reader
	lines   *bufio.Reader // of stdin, for answers
	stdout  *stdio.Output
	stderr  io.Writer
	log     *slog.Logger

	warnings    []string // of the home that init found
	interrupted bool     // a signal ended ctx
}

// run is the whole program. It returns the exit code (docs/spec/architecture.md#exit-codes).
func run(ctx context.Context, args, environ []string, stdin io.Reader, stdout, stderr io.Writer) int {
	stdio.SurvivePipes()
	if len(args) > 1 && args[1] == keychain.ChildCommand {
		return keychain.Child(stdin, stdout)
	}
	hardenErr := harden.Process()
	a := &app{
		ctx: ctx, args: args, environ: environ, stdin: stdin, lines: bufio.NewReader(stdin),
		stdout: stdio.NewOutput(stdout), stderr: stderr, log: slog.New(slog.DiscardHandler),
	}
	err := a.parseAndRun(args, hardenErr)
	if err == nil {
		err = a.stdout.Err()
	}
	if err != nil && a.interrupted {
		err = errInterrupted // instead of the error that the interruption caused
	}
	r := cli.Reporter{Program: name, Err: stderr, JSON: cli.WantsJSON(args) || a.global.JSON, Typist: a.typist()}
	return r.Report(err, a.told)
}

func (a *app) parseAndRun(args []string, hardenErr error) error {
	var g grammar
	parsed, err := definition().Parse(&g, args[min(1, len(args)):], a.stdout, a.stderr)
	if err != nil || parsed == nil {
		return err
	}
	a.global = g.global.withEnvironment(a.getenv)
	if a.global.Verbose {
		a.log = slog.New(slog.NewTextHandler(a.stderr, nil))
	}
	if hardenErr != nil {
		a.log.Warn("process not hardened", "error", hardenErr)
	}
	return parsed.Run(a)
}

func (a *app) typist() cli.Typist { return cli.TypistOf(a.getenv("PATH")) }

// getenv reads the environment that was passed to run; the last entry of a name counts.
func (a *app) getenv(name string) string {
	value := ""
	for _, entry := range a.environ {
		if v, ok := strings.CutPrefix(entry, name+"="); ok {
			value = v
		}
	}
	return value
}

// interruptible ends the context at the first SIGINT or SIGTERM, so that a command
// that waits for the broker stops in order. `run` does not use it.
func (a *app) interruptible() (stop func()) {
	ctx, end := signal.NotifyContext(a.ctx, syscall.SIGINT, syscall.SIGTERM)
	a.ctx = ctx
	return func() {
		a.interrupted = ctx.Err() != nil
		end()
	}
}

// sessionID is the slot that the command works with. session.ErrID: a usage error.
func (a *app) sessionID() (session.ID, error) {
	if a.global.SessionID == nil {
		return session.Master(), nil
	}
	id, err := session.ParseID(*a.global.SessionID)
	if err == nil && id.IsPending() {
		return id, errors.Join(session.ErrID, errors.New("a pending slot is a daemon's"))
	}
	return id, err
}
