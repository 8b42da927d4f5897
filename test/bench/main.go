// Command bench measures the numbers that README publishes, with the real programs: size,
// memory, wake-ups, start, and the cost of agent.sock compared with a bare handler. It prints
// each number with its limit on a line, and exits with 1 if one is over its limit.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

func main() { os.Exit(run(context.Background(), os.Args, os.Stdout, os.Stderr)) }

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	bin := flags.String("bin", "bin", "directory of the programs")
	idle := flags.Duration("idle", time.Minute, "how long wake-ups are counted")
	bare := flags.String("bare", "", "only serve a bare handler on this socket (for bench itself)")
	if err := flags.Parse(args[1:]); err != nil {
		return 64
	}
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	var err error
	if *bare != "" {
		err = serveBare(ctx, *bare)
	} else {
		var over int
		if over, err = measure(ctx, *bin, *idle, stdout); over > 0 {
			err = errors.Join(err, fmt.Errorf("%d numbers are over their limit", over))
		}
	}
	if err != nil {
		fmt.Fprintln(stderr, "bench: error:", err)
		return 1
	}
	return 0
}

// measure takes every number; over is how many are over their limit.
func measure(ctx context.Context, bin string, idle time.Duration, out io.Writer) (over int, err error) {
	path, err := filepath.Abs(bin)
	if err != nil {
		return 0, err
	}
	h, err := newHost(path)
	if err != nil {
		return 0, err
	}
	defer h.close()
	t := &table{out: out}
	t.head()
	for _, take := range []func(context.Context, *host, *table) error{
		size, start, func(ctx context.Context, h *host, t *table) error { return idleInstance(ctx, h, t, idle) }, reads,
		func(ctx context.Context, h *host, t *table) error { return idleWithKeychain(ctx, h, t, idle) },
	} {
		if err := take(ctx, h, t); err != nil {
			return t.over, err
		}
	}
	return t.over, nil
}

// table prints the results as lines of a Markdown table.
type table struct {
	out  io.Writer
	over int
}

func (tab *table) head() {
	fmt.Fprintf(tab.out, "| %-66s | %12s | %12s |    |\n|%s|%s|%s|----|\n", "what", "measured", "limit", dashes(68), dashes(14), dashes(14))
}

func dashes(n int) string {
	return fmt.Sprintf("%.*s", n, "--------------------------------------------------------------------")
}

// most prints a number that must not be above its limit.
func (tab *table) most(what string, value, limit float64, unit string) {
	tab.line(what, value, "<= ", limit, unit, value <= limit)
}

func (tab *table) least(what string, value, limit float64, unit string) {
	tab.line(what, value, ">= ", limit, unit, value >= limit)
}

func (tab *table) line(what string, value float64, sign string, limit float64, unit string, ok bool) {
	verdict := "ok"
	if !ok {
		verdict = "OVER"
		tab.over++
	}
	fmt.Fprintf(tab.out, "| %-66s | %12s | %12s | %s |\n", what, fmt.Sprintf("%.4g %s", value, unit), fmt.Sprintf("%s%g %s", sign, limit, unit), verdict)
}

func (tab *table) fact(what string, value float64, unit string) {
	fmt.Fprintf(tab.out, "| %-66s | %12s | %12s |    |\n", what, fmt.Sprintf("%.4g %s", value, unit), "")
}

func (tab *table) missing(what, why string) {
	fmt.Fprintf(tab.out, "| %-66s | %12s | %12s |    |\n", what+" ("+why+")", "not measured", "")
}
