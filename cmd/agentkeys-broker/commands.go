package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/agentkeys/agentkeys/internal/buildinfo"
	"github.com/agentkeys/agentkeys/internal/cli"
	"github.com/agentkeys/agentkeys/internal/stdio"
	"github.com/agentkeys/agentkeys/internal/supervise"
)

const name = "agentkeys-broker"

// definition describes this program's command line.
func definition() cli.Program {
	return cli.Program{
		Name: name, Summary: "The self-hosted server of AgentKeys: accounts, pairing, sessions and sealed records.",
		Examples: map[string]string{
			"serve":       "agentkeys-broker serve --data ~/agentkeys-broker",
			"reload":      "agentkeys-broker reload --data ~/agentkeys-broker --log-level debug",
			"setup-token": "agentkeys-broker setup-token --data ~/agentkeys-broker",
			"backup":      "agentkeys-broker backup /media/stick/broker.backup --data ~/agentkeys-broker",
			"restore":     "agentkeys-broker restore /media/stick/broker.backup --data ~/agentkeys-broker",
			"clock":       "agentkeys-broker clock --accept --data ~/agentkeys-broker",
			"version":     "agentkeys-broker version",
		},
	}
}

// grammar declares the commands for kong.
type grammar struct {
	JSON bool `name:"json" help:"Print JSON, errors too."`

	Serve      serveCommand      `cmd:"" help:"Run the broker."`
	Reload     reloadCommand     `cmd:"" help:"Check these options of serve and the files of the certificate, and give the log level to the broker that serves DIR. What is left out stays as it is."`
	SetupToken setupTokenCommand `cmd:"" help:"Write a set-up token for one more owner to DIR/setup-token."`
	Backup     backupCommand     `cmd:"" help:"Write all of it to a new FILE, also while the broker serves."`
	Restore    restoreCommand    `cmd:"" help:"Put a backup in place, while no broker serves DIR. Agents then wait for their owner's next command."`
	Clock      clockCommand      `cmd:"" help:"Say that the clock of this machine is right, after a jump: sessions lapse by it again."`
	Version    versionCommand    `cmd:"" help:"Say which build this is."`
}

// data is the data directory that was named; empty for a command without one.
func (g grammar) data() string {
	return cmp.Or(g.Serve.Data, g.Reload.Data, g.SetupToken.Data, g.Backup.Data, g.Restore.Data, g.Clock.Data)
}

// dataFlag is the flag of the commands that work on a data directory.
type dataFlag struct {
	Data string `required:"" placeholder:"DIR" help:"Where the broker keeps everything."`
}

// call is one run of a command: its streams, and how it ends.
type call struct {
	ctx     context.Context
	args    []string // as typed, the program first
	env     []string
	stdout  *stdio.Output
	stderr  io.Writer
	hangups *supervise.Hangups
}

type setupTokenCommand struct{ dataFlag }

// Run writes the token and prints the name of its file.
func (c setupTokenCommand) Run(at *call) error {
	path, err := newSetupToken(at.ctx, c.Data)
	if err != nil {
		return err
	}
	fmt.Fprintf(at.stdout, "%s\ngood once, for 24 hours: agentkeys init --setup-token-file %s\n", path, path)
	return nil
}

type clockCommand struct {
	dataFlag

	Accept bool `required:"" help:"The clock is right."`
}

// Run accepts the clock.
func (c clockCommand) Run(at *call) error { return acceptClock(at.ctx, c.Data) }

type versionCommand struct{}

// Run prints the build.
func (versionCommand) Run(at *call) error {
	if cli.WantsJSON(at.args) {
		return json.NewEncoder(at.stdout).Encode(map[string]string{"version": buildinfo.Version()})
	}
	fmt.Fprintln(at.stdout, name, buildinfo.Get())
	return nil
}
