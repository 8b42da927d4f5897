// Command demo is `make demo`: two agents on one host, each paired with its own code, each
// served its own keys. It starts the real programs as a user would, prints for each step what
// was expected and what was seen, and exits with 1 if any of them differ.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

// limit bounds the whole demonstration. It takes seconds; a busy machine needs longer.
const limit = 5 * time.Minute

func main() { os.Exit(run(context.Background(), os.Args, os.Environ(), os.Stdout, os.Stderr)) }

func run(ctx context.Context, args, env []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("demo", flag.ContinueOnError)
	flags.SetOutput(stderr)
	bin := flags.String("bin", "bin", "directory of the programs")
	if err := flags.Parse(args[1:]); err != nil {
		return 64
	}
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	began := time.Now()
	host, err := newHost(*bin, env)
	if err != nil {
		fmt.Fprintln(stderr, "demo: error:", err)
		return 1
	}
	r := &report{out: stdout}
	r.title("AgentKeys, Demo 1: two agents on one host")
	err = play(ctx, host, r)
	cleanUp(host, r)
	if err != nil {
		fmt.Fprintln(stderr, "demo: error:", err)
		return 1
	}
	return r.verdict(time.Since(began))
}

// newHost makes a temporary directory. Its path is short because sockets are in it.
func newHost(bin string, env []string) (*host, error) {
	path, err := filepath.Abs(bin)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("/tmp", "akdemo")
	if err != nil {
		return nil, fmt.Errorf("make a temporary directory: %w", err)
	}
	return &host{bin: path, dir: dir, env: hostEnv(env, dir)}, nil
}
