package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"github.com/agentkeys/agentkeys/test/needs"
)

// event is one line of `go test -json`; see `go doc test2json`.
type event struct {
	Action, Package, Test, Output string
}

// result is the summary of a run.
type result struct {
	passed, failed int
	faults         []string // that a second attempt does not excuse, one line each
	flaky          []string // failed, then passed alone
	skipped        []skip   // most frequent reason first
	incomplete     bool     // gotestsum itself says that the run failed
}

// skip is one reason and how many tests gave it.
type skip struct {
	reason string
	count  int
}

func (r result) good() bool { return !r.incomplete && r.failed == 0 && len(r.faults) == 0 }

func (r result) skips() int {
	sum := 0
	for _, s := range r.skipped {
		sum += s.count
	}
	return sum
}

// test is what one test did in all its attempts.
type test struct {
	pkg, name string
	last      string // pass, fail or skip, of its last run
	fails     int
	output    strings.Builder // of the attempts until the last failure or skip
}

// neverAgain finds a fault in the output of a failed test or package that no second attempt
// excuses.
func neverAgain(output string) string {
	for _, kind := range []struct{ name, pattern string }{
		{"data race", `(?m)^WARNING: DATA RACE`},
		{"time-out", `(?m)^panic: test timed out`},
		{"panic", `(?m)^(panic: |fatal error: )`},
		{"goroutine leak", `found unexpected goroutines`},
	} {
		if regexp.MustCompile(kind.pattern).MatchString(output) {
			return kind.name
		}
	}
	return ""
}

// runs collects events. A package is a test without a name.
type runs struct {
	tests  map[[2]string]*test
	faults []string
	failed map[string]bool // packages with a failed test in the current attempt
}

func newRuns() *runs { return &runs{tests: map[[2]string]*test{}, failed: map[string]bool{}} }

// read adds the events of one pass, in their order.
func (a *runs) read(r io.Reader) error {
	decoder := json.NewDecoder(r)
	for {
		var e event
		if err := decoder.Decode(&e); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("read events of go test: %w", err)
		}
		a.add(e)
	}
}

// sequential returns the tests that needs.Sequential skipped, and their packages.
func (a *runs) sequential() (packages, names []string) {
	for _, t := range a.tests {
		if t.last == "skip" && reason(t.output.String()) == needs.SequentialReason {
			name, _, _ := strings.Cut(t.name, "/")
			packages, names = append(packages, t.pkg), append(names, name)
		}
	}
	slices.Sort(packages)
	slices.Sort(names)
	return slices.Compact(packages), slices.Compact(names)
}

func (a *runs) add(e event) {
	if e.Package == "" {
		return
	}
	key := [2]string{e.Package, e.Test}
	t := a.tests[key]
	if t == nil {
		t = &test{pkg: e.Package, name: e.Test}
		a.tests[key] = t
	}
	switch e.Action {
	case "output":
		t.output.WriteString(e.Output)
	case "pass", "skip":
		t.last = e.Action
		if e.Test == "" {
			delete(a.failed, e.Package)
		}
	case "fail":
		t.last = e.Action
		t.fails++
		a.fail(t)
	}
}

// fail looks for a fault that no second attempt excuses. A package that fails without a
// failed test did so outside of its tests: TestMain found a leak, or the program ended.
func (a *runs) fail(t *test) {
	what := short(t.pkg)
	if t.name != "" {
		a.failed[t.pkg] = true
		what += "." + t.name
	}
	if kind := neverAgain(t.output.String()); kind != "" {
		a.faults = append(a.faults, what+": "+kind)
	} else if t.name == "" && !a.failed[t.pkg] {
		a.faults = append(a.faults, what+": the package failed outside of its tests")
	}
	if t.name == "" {
		delete(a.failed, t.pkg)
	}
	t.output.Reset()
}

func (a *runs) result() result {
	r := result{faults: a.faults}
	reasons := map[string]int{}
	for _, t := range a.tests {
		switch {
		case t.name == "":
		case t.last == "fail":
			r.failed++
		case t.last == "skip" && reason(t.output.String()) == needs.SequentialReason:
			r.failed++ // no pass ran it
		case t.last == "skip":
			reasons[reason(t.output.String())]++
		case t.last == "pass":
			r.passed++
			if t.fails > 0 {
				r.flaky = append(r.flaky, fmt.Sprintf("%s.%s failed, and passed when it ran alone", short(t.pkg), t.name))
			}
		default: // it began and never ended
			r.failed++
		}
	}
	for text, count := range reasons {
		r.skipped = append(r.skipped, skip{text, count})
	}
	slices.SortFunc(r.skipped, func(x, y skip) int {
		return cmp.Or(cmp.Compare(y.count, x.count), cmp.Compare(x.reason, y.reason))
	})
	slices.Sort(r.flaky)
	return r
}

// reason is what a test gave to Skip: the last line that begins with its file and line.
func reason(output string) string {
	at := regexp.MustCompile(`^\s+\S+\.go:\d+: (.*)`)
	said := "no reason given"
	for line := range strings.Lines(output) {
		if m := at.FindStringSubmatch(line); m != nil {
			said = m[1]
		}
	}
	return said
}
