package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/agentkeys/agentkeys/internal/atomicfile"
	"github.com/agentkeys/agentkeys/internal/broker"
	"github.com/agentkeys/agentkeys/internal/broker/datadir"
	"github.com/agentkeys/agentkeys/internal/broker/sqlite"
	"github.com/agentkeys/agentkeys/internal/cli"
	"github.com/agentkeys/agentkeys/internal/harden"
	"github.com/agentkeys/agentkeys/internal/health/condition"
	"github.com/agentkeys/agentkeys/internal/mounts"
	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/stdio"
	"github.com/agentkeys/agentkeys/internal/supervise"
	"github.com/agentkeys/agentkeys/internal/words"
)

// run is the whole program. env is read only for systemd's notification socket.
func run(ctx context.Context, args, env []string, _ io.Reader, stdout, stderr io.Writer) int {
	stdio.SurvivePipes()
	hangups := supervise.CatchHangups()
	if err := harden.Process(); err != nil {
		fmt.Fprintln(stderr, "agentkeys-broker: warning:", err)
	}
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	out := stdio.NewOutput(stdout)
	err := parseAndRun(&call{ctx: ctx, args: args, env: env, stdout: out, stderr: stderr, hangups: hangups})
	if err == nil {
		err = out.Err()
	}
	r := cli.Reporter{Program: name, Err: stderr, JSON: cli.WantsJSON(args), Typist: cli.TypistOf(lookup(env)("PATH"))}
	return r.Report(err, func(err error) *cli.Failure { return failureOf(err, args) })
}

func parseAndRun(at *call) error {
	var g grammar
	parsed, err := definition().Parse(&g, at.args[min(1, len(at.args)):], at.stdout, at.stderr)
	if err != nil || parsed == nil {
		return err
	}
	if parsed.Command() != "serve" {
		at.hangups.Release()
	}
	return hintDisk(parsed.Run(at), g.data())
}

// hintDisk adds the command for the disk of the data directory if err says that it is read-only or
// full. A file that err names may be on another disk.
func hintDisk(err error, data string) error {
	cause, path := err, data
	var at *fs.PathError
	if errors.As(err, &at) {
		path = at.Path
	}
	var unwritable *broker.Unwritable
	switch said := errors.As(err, &unwritable); {
	case said && unwritable.Reason == protocol.ReadOnlyNoSpace:
		cause, path = syscall.ENOSPC, data
	case said && unwritable.Reason == protocol.ReadOnlyMount:
		cause, path = syscall.EROFS, data
	}
	full, absErr := filepath.Abs(path)
	if hint := mounts.Mend(full, cause); absErr == nil && hint != "" {
		return cli.Hinted(err, hint)
	}
	return err
}

// failureOf is the exit code, code and hint for an error; args are what was typed.
func failureOf(err error, args []string) *cli.Failure {
	f := cli.Classify(err, rules())
	var others *othersDir
	var idle *notServing
	var full *broker.Unwritable
	var insecure *datadir.InsecureError
	switch {
	case errors.As(err, &others):
		f.Exit, f.Code, f.Hint = words.ExitUsage, cli.CodeUsage, others.command(args)
	case errors.As(err, &insecure):
		f.Hint = insecure.Fix
	case errors.As(err, &idle):
		f.Exit, f.Code, f.Hint = words.ExitUnreachable, "not_serving", unitCommand("start", idle.data, "")
	case errors.As(err, &full):
		f.Code = protocol.CodeReadOnly
	}
	return f
}

// rules are tried in order.
func rules() []cli.Rule {
	fault := func(is error, code, hint string) cli.Rule {
		return cli.On(is, words.ExitFault, code, hint)
	}
	return []cli.Rule{
		fault(stdio.ErrOutput, cli.CodeError, ""),
		fault(atomicfile.ErrNoDir, "home_unfit", "give another --data DIR: a directory, or a path where one can be made; a link to a disk needs that disk mounted"),
		fault(datadir.ErrBusy, "busy", "stop the other one, or give another --data"),
		fault(datadir.ErrTLSKey, "tls_key", "chmod 600 it, or put it back from a copy; only if it is lost, remove it: then owners and boards need the new URL"),
		fault(atomicfile.ErrUnfit, "home_unfit", "give another --data DIR, on a file system with owners and modes, as ext4, btrfs, xfs and apfs"),
		fault(errNetwork, "home_unfit", "give a --data DIR on a disk of this machine; what is there moves with agentkeys-broker backup FILE and restore FILE"),
		fault(syscall.ESTALE, "home_stale", "mount the file server's directory again: sudo umount -l DIR; sudo mount DIR"),
		fault(errHoldsAccounts, protocol.CodeConflict, "agentkeys-broker restore FILE --replace --data DIR   (the database there stays beside it)"),
		fault(fs.ErrExist, protocol.CodeConflict, "give another FILE: agentkeys-broker backup replaces none"),
		fault(sqlite.ErrNotBroker, "not_a_backup", "give a FILE that agentkeys-broker backup wrote"),
		fault(syscall.ENOSPC, string(condition.NoSpace), ""),
		fault(syscall.EROFS, string(condition.StateReadOnly), ""),
	}
}
