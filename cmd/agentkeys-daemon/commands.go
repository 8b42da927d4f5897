package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/alecthomas/kong"

	"github.com/agentkeys/agentkeys/internal/buildinfo"
)

const name = "agentkeys-daemon"

// globals are the flags that every command takes. Those that are settings have no
// default here: internal/settings knows it.
type globals struct {
	JSON            bool    `name:"json" help:"Print JSON, and errors as one JSON object on standard error."`
	SessionStore    *string `help:"Where sessions are kept: auto, file or keychain." placeholder:"MODE"`
	KeychainTimeout *string `help:"Bound of one keychain operation." placeholder:"2s"`
	LogLevel        *string `help:"debug, info, warn or error." placeholder:"LEVEL"`
	LogFormat       *string `help:"text or json." placeholder:"FORMAT"`
}

// settings are the flags that were given, by settings key.
func (g globals) settings() map[string]string {
	given := map[string]string{}
	for key, value := range map[string]*string{
		"session_store": g.SessionStore, "keychain_timeout": g.KeychainTimeout,
		"log_level": g.LogLevel, "log_format": g.LogFormat,
	} {
		if value != nil {
			given[key] = *value
		}
	}
	return given
}

type commands struct {
	globals

	Run     runCommand     `cmd:"" help:"Keep one agent's session and serve its credentials; what the service starts."`
	Pair    pairCommand    `cmd:"" help:"Make this machine a new agent: shows a code that the owner approves."`
	Recover recoverCommand `cmd:"" help:"Make this machine an agent that there is already."`
	Status  statusCommand  `cmd:"" help:"Say how the daemons of this machine are."`
	Probe   probeCommand   `cmd:"" help:"Look at the keychain, without asking anybody anything."`
	Wait    waitCommand    `cmd:"" help:"Wait until a daemon can serve."`
	Forget  forgetCommand  `cmd:"" help:"Remove an agent's session from this machine."`
	Version versionCommand `cmd:"" help:"Say which build this is."`
}

// parseAndRun finds the command and runs it. Everything that a person typed wrongly
// is a usage error.
func (p *program) parseAndRun(ctx context.Context, args []string) error {
	var cli commands
	exited := false
	parser, err := kong.New(&cli,
		kong.Name(name), kong.Description("The daemon of one AgentKeys agent."), kong.UsageOnError(),
		kong.Writers(p.stdout, p.stderr), kong.Exit(func(int) { exited = true }),
		kong.BindTo(ctx, (*context.Context)(nil)), kong.Bind(p),
	)
	if err != nil {
		return fmt.Errorf("command line: %w", err)
	}
	parsed, err := parser.Parse(args[1:])
	if exited {
		return nil // --help has said everything
	}
	p.flags = cli.globals
	if err != nil {
		p.flags.JSON = p.flags.JSON || wantsJSON(args)
		return usage(err, name+" --help")
	}
	return parsed.Run()
}

// wantsJSON looks for --json where the command line could not be parsed.
func wantsJSON(args []string) bool {
	for _, a := range args {
		if a == "--json" {
			return true
		}
	}
	return false
}

type versionCommand struct{}

// Run prints the build.
func (versionCommand) Run(p *program) error {
	if p.flags.JSON {
		return p.writeJSON(map[string]string{"version": buildinfo.Version()})
	}
	p.printf("%s %s\n", name, buildinfo.Get())
	return nil
}

// errNotPositive is for --timeout.
var errNotPositive = errors.New("--timeout must be more than 0")

func checkTimeout(d time.Duration) error {
	if d <= 0 {
		return usage(errNotPositive, "")
	}
	return nil
}
