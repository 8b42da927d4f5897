package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/agentkeys/agentkeys/internal/cli"
	"github.com/agentkeys/agentkeys/internal/harden"
	"github.com/agentkeys/agentkeys/internal/stdio"
	"github.com/agentkeys/agentkeys/internal/store"
	"github.com/agentkeys/agentkeys/internal/store/keychain"
	"github.com/agentkeys/agentkeys/internal/supervise"
	"github.com/agentkeys/agentkeys/internal/wallet"
)

// program is one run of the command line.
type program struct {
	args     []string // as typed, the program first
	env      map[string]string
	stdin    io.Reader
	stdout   *stdio.Output
	stderr   io.Writer
	flags    globals
	wallet   wallet.Wallet // the one that was named; zero: none
	warnings []string      // for the first event of a pairing in JSON
	serves   bool          // a daemon runs, which does not depend on standard output
	hangups  *supervise.Hangups
	// slotUser is the user for whom --run-as makes slots; nil: decided by the home.
	slotUser *store.IDs
}

// run is the whole program without the process around it. It returns the exit code.
func run(ctx context.Context, args, environ []string, stdin io.Reader, stdout, stderr io.Writer) int {
	stdio.SurvivePipes()
	if len(args) > 1 && args[1] == keychain.ChildCommand {
		return keychain.Child(stdin, stdout)
	}
	hangups := supervise.CatchHangups()
	p := &program{hangups: hangups, args: args, env: parseEnv(environ), stdin: stdin, stdout: stdio.NewOutput(stdout), stderr: stderr}
	if err := harden.Process(); err != nil {
		_, _ = fmt.Fprintf(stderr, "%s: warning: %v\n", name, err)
	}
	err := p.parseAndRun(ctx, args)
	if err == nil && !p.serves {
		err = p.stdout.Err()
	}
	r := cli.Reporter{Program: name, Err: stderr, JSON: cli.WantsJSON(args), Typist: p.typist()}
	return r.Report(err, p.told)
}

func parseEnv(environ []string) map[string]string {
	env := make(map[string]string, len(environ))
	for _, entry := range environ {
		if key, value, ok := strings.Cut(entry, "="); ok {
			env[key] = value
		}
	}
	return env
}

func (p *program) getenv(key string) string { return p.env[key] }

// typist is who types the commands of hints. What a unit says is read by others than its user.
func (p *program) typist() cli.Typist {
	if p.underSystemd() {
		return cli.Typist{}
	}
	return cli.TypistOf(p.getenv("PATH"))
}

// printf writes for people. stdout keeps a write error until the end.
func (p *program) printf(format string, args ...any) { _, _ = fmt.Fprintf(p.stdout, format, args...) }
