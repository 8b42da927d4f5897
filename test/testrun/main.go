// Command testrun runs `go test` through gotestsum, which runs a failed test once more on its
// own, and decides what the results mean. At its end it prints the reasons why tests were
// skipped, the tests that passed only the second time (FLAKY), and the counts.
//
// A data race, a panic, a leaked goroutine and a time-out are faults of the program. They
// fail the run whatever the second attempt says.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
)

func main() { os.Exit(run(context.Background(), os.Args, os.Stdout, os.Stderr)) }

// run is the command. The arguments after the flags are those of `go test`, packages last.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("testrun", flag.ContinueOnError)
	flags.SetOutput(stderr)
	gotestsum := flags.String("gotestsum", "gotestsum", "the program gotestsum")
	packages := flags.String("packages", "./...", "packages to test, separated by blanks")
	if err := flags.Parse(args[1:]); err != nil {
		return 64
	}
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	fmt.Fprintln(stdout, "compiling the tests; the first result takes a few minutes where nothing was compiled before")
	ok, err := tested(ctx, *gotestsum, *packages, flags.Args(), stdout, stderr)
	if err != nil {
		fmt.Fprintln(stderr, "testrun: error:", err)
	}
	if err != nil || !ok {
		return 1
	}
	return 0
}

// tested runs the tests and reports; false if the run failed.
func tested(ctx context.Context, gotestsum, packages string, args []string, stdout, stderr io.Writer) (bool, error) {
	dir, err := os.MkdirTemp("", "testrun")
	if err != nil {
		return false, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	events := filepath.Join(dir, "events.json")
	cmd := exec.CommandContext(ctx, gotestsum, append([]string{
		"--format=pkgname", "--hide-summary=skipped", "--jsonfile=" + events,
		"--rerun-fails=1", "--rerun-fails-max-failures=5", "--rerun-fails-abort-on-data-race", "--packages=" + packages, "--",
	}, args...)...)
	cmd.Stdout, cmd.Stderr = stdout, stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	failed := cmd.Run()
	if exit := (*exec.ExitError)(nil); failed != nil && !errors.As(failed, &exit) {
		return false, fmt.Errorf("run %s: %w", gotestsum, failed)
	}
	file, err := os.Open(events)
	if err != nil {
		return false, err
	}
	defer func() { _ = file.Close() }()
	r, err := read(file)
	if err != nil {
		return false, err
	}
	r.incomplete = failed != nil
	r.print(stdout)
	return r.good(), nil
}

// print writes the summary of the run. The last line has the counts.
func (r result) print(w io.Writer) {
	for _, fault := range r.faults {
		fmt.Fprintln(w, "FAULT:", fault)
	}
	for _, name := range r.flaky {
		fmt.Fprintln(w, "FLAKY:", name)
	}
	for _, s := range r.skipped {
		fmt.Fprintf(w, "skipped %d: %s\n", s.count, s.reason)
	}
	if r.incomplete && r.failed == 0 {
		r.failed = 1 // it did not compile, or was ended from outside
	}
	fmt.Fprintf(w, "%d passed, %d failed, %d skipped\n", r.passed, r.failed, r.skips())
}

// short is a package without the module's name.
func short(pkg string) string {
	_, path, ok := strings.Cut(pkg, "agentkeys/agentkeys/")
	if !ok {
		return pkg
	}
	return path
}
