// Command testrun runs `go test` through gotestsum, which runs a failed test once more on its
// own, and decides what the results mean. At its end it prints the reasons why tests were
// skipped, the tests that passed only the second time (FLAKY), and the counts.
//
// A data race, a panic, a leaked goroutine and a time-out are faults of the program. They
// fail the run whatever the second attempt says.
//
// With -race the tests run under the race detector, and those that needs.Sequential left
// out run after them without it. Each is counted once.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
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
	race := flags.String("race", "", "flags of go test for a first pass under the race detector, separated by blanks")
	if err := flags.Parse(args[1:]); err != nil {
		return 64
	}
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	fmt.Fprintln(stdout, "compiling the tests; the first result takes a few minutes where nothing was compiled before")
	p := passes{gotestsum: *gotestsum, packages: *packages, args: flags.Args(), stdout: stdout, stderr: stderr, all: newRuns()}
	ok, err := p.run(ctx, strings.Fields(*race))
	if err != nil {
		fmt.Fprintln(stderr, "testrun: error:", err)
	}
	if err != nil || !ok {
		return 1
	}
	return 0
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
