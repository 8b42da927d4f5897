package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log/slog"
	"os/signal"
	"reflect"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/agentkeys/agentkeys/internal/harden"
	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/stdio"
	"github.com/agentkeys/agentkeys/internal/store/keychain"
	"github.com/agentkeys/agentkeys/internal/words"
)

// app is one call of the program: what it was told and where it may speak.
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

// run is the whole program; it returns the exit code (design 5, manners).
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
	if err != nil {
		return a.fail(err, wantsJSON(args))
	}
	return words.ExitOK
}

func (a *app) parseAndRun(args []string, hardenErr error) error {
	var grammar cli
	helped := false
	parser, err := kong.New(&grammar,
		kong.Name("agentkeys"), kong.Description(description), kong.Writers(a.stdout, a.stderr),
		kong.Exit(func(int) { helped = true }), kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
	)
	if err != nil {
		return err
	}
	parsed, err := parser.Parse(args[1:])
	if helped || a.stdout.Err() != nil { // kong takes help that did not arrive for a mistake
		return a.stdout.Err()
	}
	if err != nil {
		return usageError{message: err.Error(), hint: "agentkeys --help"}
	}
	if err := refuseEmpty(parsed); err != nil {
		return err
	}
	a.global = grammar.global.withEnvironment(a.getenv)
	if a.global.Verbose {
		a.log = slog.New(slog.NewTextHandler(a.stderr, nil))
	}
	if hardenErr != nil {
		a.log.Warn("process not hardened", "error", hardenErr)
	}
	return parsed.Run(a)
}

// refuseEmpty finds what was typed with nothing in it: an unset variable of a script.
// Taken as not typed, it would mean the owner where an agent was meant. Fields that are
// pointers know the difference themselves.
func refuseEmpty(parsed *kong.Context) error {
	for _, step := range parsed.Path {
		var value *kong.Value
		switch {
		case step.Flag != nil:
			value = step.Flag.Value
		case step.Positional != nil:
			value = step.Positional
		default:
			continue
		}
		if value.Target.Kind() == reflect.String && value.Target.String() == "" {
			return usageError{message: value.ShortSummary() + " is empty", hint: "agentkeys --help"}
		}
	}
	return nil
}

// wantsJSON decides how a fault is told before, and even if, the flags can be parsed.
func wantsJSON(args []string) bool {
	for _, arg := range args[1:] {
		if arg == "--" {
			return false
		}
		if arg == "--json" || arg == "--json=true" {
			return true
		}
	}
	return false
}

// getenv reads the environment that run was given; the last one of a name counts.
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
