package main

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// report prints the steps and counts the differences.
type report struct {
	out                   io.Writer
	step, checks, differs int
}

func (r *report) print(format string, args ...any) { fmt.Fprintf(r.out, format+"\n", args...) }

func (r *report) title(text string) { r.print("%s\n", text) }

// begin begins a numbered step.
func (r *report) begin(text string) {
	r.step++
	r.print("%2d  %s", r.step, text)
}

// note prints a line that is neither expected nor unexpected.
func (r *report) note(format string, args ...any) { r.print("      "+format, args...) }

// check compares what was expected with what was seen.
func (r *report) check(what, expected, seen string) {
	r.checks++
	verdict := "ok"
	if expected != seen {
		r.differs++
		verdict = "DIFFERS"
	}
	r.print("    %s", what)
	r.print("      expected  %s", oneLine(expected))
	r.print("      seen      %s  [%s]", oneLine(seen), verdict)
}

func oneLine(s string) string { return strings.ReplaceAll(strings.TrimSpace(s), "\n", " | ") }

// verdict is the exit code.
func (r *report) verdict(took time.Duration) int {
	r.print("\n%d steps, %d checks, %d differ, %.1f s", r.step, r.checks, r.differs, took.Seconds())
	if r.differs > 0 {
		return 1
	}
	return 0
}
