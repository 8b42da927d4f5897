package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/alecthomas/kong"

	"github.com/agentkeys/agentkeys/internal/buildinfo"
	"github.com/agentkeys/agentkeys/internal/cli"
)

const name = "agentkeys-daemon"

// definition describes this program's command line.
func definition() cli.Program {
	return cli.Program{
		Name: name, Summary: "The daemon of one AgentKeys agent: it keeps the agent's session and serves its credentials.",
		Examples: map[string]string{
			"run":     "agentkeys-daemon run",
			"pair":    "agentkeys-daemon pair --broker http://127.0.0.1:8420 --alias hermes",
			"recover": "agentkeys-daemon recover hermes --broker http://127.0.0.1:8420",
			"status":  "agentkeys-daemon status",
			"wait":    "agentkeys-daemon wait --wallet 0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed",
			"probe":   "agentkeys-daemon probe",
			"doctor":  "agentkeys-daemon doctor",
			"forget":  "agentkeys-daemon forget --wallet 0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed",
			"version": "agentkeys-daemon version",
		},
	}
}

// grammar declares the commands for kong.
type grammar struct {
	globals

	Run     runCommand     `cmd:"" help:"Keep one agent's session and serve its credentials; what the service starts."`
	Pair    pairCommand    `cmd:"" help:"Make this machine a new agent: shows a code that the owner approves."`
	Recover recoverCommand `cmd:"" help:"Make this machine an agent that there is already."`
	Status  statusCommand  `cmd:"" help:"Say how the daemons of this machine are."`
	Wait    waitCommand    `cmd:"" help:"Wait until a daemon can serve."`
	Probe   probeCommand   `cmd:"" help:"Look at the keychain, without asking a person anything."`
	Doctor  doctorCommand  `cmd:"" help:"Say what is wrong on this machine, and the command that mends it."`
	Forget  forgetCommand  `cmd:"" help:"Remove an agent's session from this machine."`
	Version versionCommand `cmd:"" help:"Say which build this is."`
}

// globals are the flags of every command. Those that are settings are checked together with the files
// and variables; nil: the flag was not given.
type globals struct {
	JSON        bool `name:"json" help:"Print JSON, and errors as one JSON object on standard error."`
	PrintConfig bool `help:"Print each setting and where it came from, and end."`

	Broker          *string `placeholder:"URL" help:"Base URL of the broker, with its key pin if it has one, instead of the session's own."`
	SessionStore    *string `placeholder:"MODE" help:"Where sessions are kept: auto, file or keychain."`
	KeychainTimeout *string `placeholder:"TIME" help:"Bound of one keychain operation, like 2s."`
	Allow           *string `placeholder:"RULES" help:"Who may ask: user=NAME, group=NAME or unit=NAME.service, separated by commas."`
	AllowRoot       *string `placeholder:"BOOL" help:"Whether root may ask: true or false."`
	MetricsListen   *string `placeholder:"HOST:PORT" help:"A TCP address for /metrics of this instance alone."`
	LogLevel        *string `placeholder:"LEVEL" help:"debug, info, warn or error."`
	LogFormat       *string `placeholder:"FORMAT" help:"text or json."`
}

// given are the settings that were given by flags, by their keys.
func (g globals) given() map[string]string {
	found := map[string]string{}
	for key, value := range map[string]*string{
		"broker": g.Broker, "session_store": g.SessionStore, "keychain_timeout": g.KeychainTimeout, "allow": g.Allow,
		"allow_root": g.AllowRoot, "metrics_listen": g.MetricsListen, "log_level": g.LogLevel, "log_format": g.LogFormat,
	} {
		if value != nil {
			found[key] = *value
		}
	}
	return found
}

// walletFlag is the flag of a command for one agent.
type walletFlag struct {
	Wallet string `placeholder:"0x.." help:"The agent."`
}

// walletsFlag is the flag of a command for one agent, or for all if none is named.
type walletsFlag struct {
	Wallet string `placeholder:"0x.." help:"The agent; all of this machine where none is named."`
}

// parseAndRun finds the command and runs it. A mistake in what was typed is a Failure.
func (p *program) parseAndRun(ctx context.Context, args []string) error {
	var g grammar
	parsed, err := p.parse(&g, args[min(1, len(args)):])
	if err != nil || parsed == nil {
		return err
	}
	p.flags = g.globals
	if parsed.Command() != "run" {
		p.hangups.Release()
	}
	parsed.BindTo(ctx, (*context.Context)(nil))
	return parsed.Run(p)
}

// parse reads args. --print-config without a command is that of run.
func (p *program) parse(g *grammar, args []string) (*kong.Context, error) {
	parsed, err := definition().Parse(g, args, p.stdout, p.stderr)
	if err == nil || !errors.Is(err, cli.ErrNoCommand) {
		return parsed, err
	}
	var again grammar
	if bare, bareErr := definition().Parse(&again, append(args[:len(args):len(args)], "run"), io.Discard, io.Discard); bareErr == nil && again.PrintConfig {
		*g = again
		return bare, nil
	}
	return nil, err
}

type versionCommand struct{}

// Run prints the build.
func (versionCommand) Run(p *program) error {
	if p.flags.JSON {
		return p.writeJSON(map[string]string{"version": buildinfo.Version()})
	}
	_, err := fmt.Fprintf(p.stdout, "%s %s\n", name, buildinfo.Get())
	return err
}
