package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os/signal"
	"strings"
	"syscall"

	"github.com/agentkeys/agentkeys/internal/buildinfo"
	"github.com/agentkeys/agentkeys/internal/cli"
	"github.com/agentkeys/agentkeys/internal/harden"
	"github.com/agentkeys/agentkeys/internal/stdio"
	"github.com/agentkeys/agentkeys/internal/unixsocket"
	"github.com/agentkeys/agentkeys/internal/words"
)

const name = "agentkeys-exporter"

// definition describes this program's command line.
func definition() cli.Program {
	return cli.Program{
		Name: name, Summary: "One Prometheus target for all instances of agentkeys-daemon on this machine.",
		Examples: map[string]string{
			"":        "agentkeys-exporter --web.listen-address 127.0.0.1:9478",
			"version": "agentkeys-exporter version",
		},
	}
}

// grammar declares the command line for kong. The flags of an exporter have the names that those of the
// Prometheus project have.
type grammar struct {
	Listen   []string `name:"web.listen-address" placeholder:"ADDR" sep:"none" help:"HOST:PORT or unix:///path; may be repeated. Default: the sockets that systemd passed, else 127.0.0.1:9478."`
	Web      string   `name:"web.config.file" placeholder:"FILE" help:"TLS and passwords, as for every exporter: see github.com/prometheus/exporter-toolkit."`
	Write    string   `name:"write" placeholder:"FILE" help:"Write the metrics to FILE once, for node_exporter, and end. Its name must end in .prom."`
	Aliases  string   `name:"aliases" placeholder:"FILE" help:"Lines of WALLET ALIAS. Everyone who reads the metrics learns them; without it no alias is shown."`
	LogLevel string   `name:"log-level" placeholder:"LEVEL" enum:"debug,info,warn,error" default:"info" help:"debug, info, warn or error."`
	JSON     bool     `name:"json" help:"Print errors as JSON."`

	Serve   serveCommand   `cmd:"" default:"1" hidden:""`
	Version versionCommand `cmd:"" help:"Say which build this is."`
}

// call is one run of the program.
type call struct {
	ctx    context.Context
	getenv func(string) string
	stdout *stdio.Output
	log    *slog.Logger
	grammar
}

// run is the whole program.
func run(ctx context.Context, args, env []string, stdout, stderr io.Writer) int {
	stdio.SurvivePipes()
	if err := harden.Process(); err != nil {
		fmt.Fprintln(stderr, name+": warning:", err)
	}
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	at := &call{ctx: ctx, getenv: lookup(env), stdout: stdio.NewOutput(stdout)}
	err := at.parseAndRun(args, stderr)
	if err == nil {
		err = at.stdout.Err()
	}
	r := cli.Reporter{Program: name, Err: stderr, JSON: cli.WantsJSON(args), Typist: cli.TypistOf(at.getenv("PATH"))}
	return r.Report(err, func(err error) *cli.Failure { return cli.Classify(err, rules()) })
}

func (at *call) parseAndRun(args []string, stderr io.Writer) error {
	parsed, err := definition().Parse(&at.grammar, args[min(1, len(args)):], at.stdout, stderr)
	if err != nil || parsed == nil {
		return err
	}
	var level slog.Level
	if err := level.UnmarshalText([]byte(at.LogLevel)); err != nil {
		return fmt.Errorf("log level: %w", err)
	}
	at.log = slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: level}))
	return parsed.Run(at)
}

// rules are tried in order.
func rules() []cli.Rule {
	return []cli.Rule{
		cli.On(unixsocket.ErrNotSocket, words.ExitUsage, cli.CodeUsage, "--web.listen-address unix:///run/agentkeys-exporter/metrics.sock"),
		cli.On(unixsocket.ErrInUse, words.ExitFault, cli.CodeError, "systemctl status agentkeys-exporter"),
		cli.On(syscall.EADDRINUSE, words.ExitFault, cli.CodeError, "systemctl status agentkeys-exporter   (or give another --web.listen-address)"),
		cli.On(stdio.ErrOutput, words.ExitFault, cli.CodeError, ""),
	}
}

func lookup(env []string) func(string) string {
	return func(key string) string {
		for _, pair := range env {
			if value, ok := strings.CutPrefix(pair, key+"="); ok {
				return value
			}
		}
		return ""
	}
}

type versionCommand struct{}

// Run prints the build.
func (versionCommand) Run(at *call) error {
	if at.JSON {
		return json.NewEncoder(at.stdout).Encode(map[string]string{"version": buildinfo.Version()})
	}
	fmt.Fprintln(at.stdout, name, buildinfo.Get())
	return nil
}
