package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// passes is a run of the tests in one or two passes.
type passes struct {
	gotestsum      string
	packages       string   // separated by blanks
	args           []string // of go test, in each pass
	stdout, stderr io.Writer

	all    *runs
	failed bool // gotestsum said so in one of the passes
}

// run runs the tests and reports; false if the run failed. race is empty or the flags of go
// test that the first pass gets and the second does not.
func (p *passes) run(ctx context.Context, race []string) (bool, error) {
	env := os.Environ()
	if len(race) > 0 {
		env = append(env, "CGO_ENABLED=1") // the race detector is written in C
	}
	if err := p.pass(ctx, env, p.packages, race); err != nil {
		return false, err
	}
	if packages, names := p.all.sequential(); len(race) > 0 && len(names) > 0 && ctx.Err() == nil {
		fmt.Fprintf(p.stdout, "and without the race detector, %d sequential tests\n", len(names))
		err := p.pass(ctx, os.Environ(), strings.Join(packages, " "), []string{"-run=^(" + strings.Join(names, "|") + ")$"})
		if err != nil {
			return false, err
		}
	}
	r := p.all.result()
	r.incomplete = p.failed
	r.print(p.stdout)
	return r.good(), nil
}

// pass runs the tests of some packages once, with more flags of go test, and reads what
// became of them.
func (p *passes) pass(ctx context.Context, env []string, packages string, more []string) error {
	dir, err := os.MkdirTemp("", "testrun")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	events := filepath.Join(dir, "events.json")
	cmd := exec.CommandContext(ctx, p.gotestsum, append(append([]string{
		"--format=pkgname", "--hide-summary=skipped", "--jsonfile=" + events,
		"--rerun-fails=1", "--rerun-fails-max-failures=5", "--rerun-fails-abort-on-data-race", "--packages=" + packages, "--",
	}, more...), p.args...)...)
	cmd.Env, cmd.Stdout, cmd.Stderr = env, p.stdout, p.stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	if err := cmd.Run(); err != nil {
		if exit := (*exec.ExitError)(nil); !errors.As(err, &exit) {
			return fmt.Errorf("run %s: %w", p.gotestsum, err)
		}
		p.failed = true
	}
	file, err := os.Open(events)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	return p.all.read(file)
}
