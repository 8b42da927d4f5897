package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/agentkeys/agentkeys/internal/atomicfile"
	"github.com/agentkeys/agentkeys/internal/broker"
	"github.com/agentkeys/agentkeys/internal/broker/datadir"
	"github.com/agentkeys/agentkeys/internal/broker/sqlite"
	"github.com/agentkeys/agentkeys/internal/buildinfo"
	"github.com/agentkeys/agentkeys/internal/harden"
	"github.com/agentkeys/agentkeys/internal/stdio"
	"github.com/agentkeys/agentkeys/internal/words"
)

const usage = `agentkeys-broker: accounts, pairing, sessions and sealed records for AgentKeys

  agentkeys-broker serve --data DIR [--listen 127.0.0.1:8420]    run the broker
      --listen ADDR         host:port or unix:///path; port 0 picks a free one (default 127.0.0.1:8420)
      --data DIR            where everything is kept; made with mode 0700
      --tls self-signed     TLS by a key of its own in DIR/tls-key.pem; the printed URL holds the
                            key's pin, and clients believe no other key
      --tls-cert FILE       TLS by a certificate that an authority signed: the chain, PEM
      --tls-key FILE        its key, PEM
      --url-host NAME       the host in the printed URL, as other machines reach it (default: what
                            --listen names, or this machine's name)
      --insecure-http       plain HTTP on any address: only behind a proxy that speaks TLS
      --trusted-proxy CIDR  whose X-Forwarded-For counts; may be repeated
      --metrics-listen ADDR /metrics, /livez and /readyz on an address of their own
      --log-level LEVEL     debug, info, warn, error (default info)
      --log-format FORMAT   text or json (default text)
  agentkeys-broker reload --data DIR           check the options of serve that stand behind it, and the files
                                               of the certificate, and give the log level to the broker
                                               that serves; what is left out stays as it is
  agentkeys-broker setup-token --data DIR      write a set-up token for one more owner to DIR/setup-token
  agentkeys-broker backup FILE --data DIR      write all of it to a new FILE, while the broker serves
  agentkeys-broker restore FILE --data DIR     put a backup in place, while it does not; agents then wait
                                               for their owner's next command
      --replace             though DIR holds accounts; the database there stays beside it
  agentkeys-broker clock --accept --data DIR   the clock is right: let sessions lapse by it again
  agentkeys-broker version
`

// mistake is a usage error with the command that is right.
type mistake struct{ message, hint string }

func (m *mistake) Error() string { return m.message }

// run is the whole program; env is not read but by systemd's notification.
func run(ctx context.Context, args, env []string, _ io.Reader, stdout, stderr io.Writer) int {
	stdio.SurvivePipes()
	if err := harden.Process(); err != nil {
		fmt.Fprintln(stderr, "agentkeys-broker: warning:", err)
	}
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	out := stdio.NewOutput(stdout)
	err := dispatch(ctx, args[min(1, len(args)):], env, out, stderr)
	if err == nil || errors.Is(err, flag.ErrHelp) {
		err = out.Err()
	}
	if err == nil {
		return words.ExitOK
	}
	var others *othersDir
	if errors.As(err, &others) {
		err = &mistake{err.Error(), others.command(args)}
	}
	fmt.Fprintln(stderr, "agentkeys-broker: error:", err)
	if hint := hintFor(err); hint != "" {
		fmt.Fprintln(stderr, "agentkeys-broker: hint:", hint)
	}
	if m := (*mistake)(nil); errors.As(err, &m) {
		return words.ExitUsage
	}
	if errors.Is(err, errNotServing) {
		return words.ExitUnreachable
	}
	return words.ExitFault
}

// hintFor is what helps against err, or "".
func hintFor(err error) string {
	var m *mistake
	var idle *notServing
	var full *broker.Unwritable
	var insecure *datadir.InsecureError
	switch {
	case errors.As(err, &m):
		return m.hint
	case errors.Is(err, datadir.ErrBusy):
		return "stop the other one, or give another --data"
	case errors.Is(err, datadir.ErrTLSKey):
		return "chmod 600 it, or put it back from a copy; only if it is lost, remove it: then owners and boards need the new URL"
	case errors.As(err, &insecure):
		return insecure.Fix
	case errors.Is(err, atomicfile.ErrUnfit):
		return "give another --data DIR, on a file system with owners and modes, as ext4, btrfs, xfs and apfs"
	case errors.Is(err, errNetwork):
		return "give a --data DIR on a disk of this machine; what is there moves with agentkeys-broker backup FILE and restore FILE"
	case errors.Is(err, syscall.ESTALE):
		return "mount the file server's directory again: sudo umount -l DIR; sudo mount DIR"
	case errors.Is(err, errHoldsAccounts):
		return "agentkeys-broker restore FILE --replace --data DIR   (the database there stays beside it)"
	case errors.Is(err, fs.ErrExist):
		return "give another FILE: agentkeys-broker backup replaces none"
	case errors.Is(err, sqlite.ErrNotBroker):
		return "give a FILE that agentkeys-broker backup wrote"
	case errors.As(err, &idle):
		return unitCommand("start", idle.data, "")
	case errors.As(err, &full), errors.Is(err, syscall.ENOSPC):
		return "df -h"
	}
	return ""
}

func dispatch(ctx context.Context, args, env []string, stdout *stdio.Output, stderr io.Writer) error {
	if len(args) == 0 {
		return &mistake{"no command", "agentkeys-broker serve --data DIR"}
	}
	switch args[0] {
	case "serve":
		return serveCommand(ctx, args[1:], env, stdout.Raw(), stderr) // it serves on without a reader
	case "reload":
		return reloadCommand(args[1:], stdout)
	case "setup-token":
		return setupCommand(ctx, args[1:], stdout)
	case "backup":
		return backupCommand(ctx, args[1:], stdout)
	case "restore":
		return restoreCommand(ctx, args[1:], stdout)
	case "clock":
		return clockCommand(ctx, args[1:], stdout)
	case "version", "--version":
		fmt.Fprintln(stdout, "agentkeys-broker", buildinfo.Get())
		return nil
	case "help", "--help", "-h":
		fmt.Fprint(stdout, usage)
		return nil
	}
	return &mistake{fmt.Sprintf("unknown command %q", args[0]), "agentkeys-broker help"}
}

// parse reads flags; whatever is wrong is a usage error.
func parse(f *flag.FlagSet, args []string, stdout io.Writer) error {
	_, err := parseFile(f, args, stdout, 0)
	return err
}

// parseFile is parse for a command with so many operands, before its flags or after them.
func parseFile(f *flag.FlagSet, args []string, stdout io.Writer, operands int) ([]string, error) {
	var found []string
	for len(args) > 0 && len(found) < operands && !strings.HasPrefix(args[0], "-") {
		found, args = append(found, args[0]), args[1:]
	}
	f.SetOutput(io.Discard)
	err := f.Parse(args)
	found = append(found, f.Args()...)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(stdout, usage)
		return nil, err
	case err != nil:
		return nil, &mistake{err.Error(), "agentkeys-broker help"}
	case len(found) > operands:
		return nil, &mistake{fmt.Sprintf("unexpected argument %q", found[operands]), "agentkeys-broker help"}
	case len(found) < operands:
		return nil, &mistake{"FILE is missing", "agentkeys-broker " + f.Name() + " FILE --data DIR"}
	}
	return found, nil
}

func needData(dir, command string) error {
	if dir == "" {
		return &mistake{"--data is missing", "agentkeys-broker " + command + " --data DIR"}
	}
	return nil
}

func setupCommand(ctx context.Context, args []string, stdout io.Writer) error {
	f := flag.NewFlagSet("setup-token", flag.ContinueOnError)
	data := f.String("data", "", "")
	if err := parse(f, args, stdout); err != nil {
		return err
	}
	if err := needData(*data, "setup-token"); err != nil {
		return err
	}
	path, err := newSetupToken(ctx, *data)
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "%s\ngood once, for 24 hours: agentkeys init --setup-token-file %s\n", path, path)
	return nil
}

func clockCommand(ctx context.Context, args []string, stdout io.Writer) error {
	f := flag.NewFlagSet("clock", flag.ContinueOnError)
	data := f.String("data", "", "")
	accept := f.Bool("accept", false, "")
	if err := parse(f, args, stdout); err != nil {
		return err
	}
	if err := needData(*data, "clock --accept"); err != nil {
		return err
	}
	if !*accept {
		return &mistake{"clock needs --accept", "agentkeys-broker clock --accept --data DIR"}
	}
	return acceptClock(ctx, *data)
}
