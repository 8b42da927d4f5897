package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/agentkeys/agentkeys/test/needs"
)

// stream writes events as `go test -json` does: each line is ACTION TEST [OUTPUT], with -
// for the package itself.
func stream(lines ...string) string {
	var out strings.Builder
	for _, line := range lines {
		parts := append(strings.SplitN(line, " ", 3), "")
		name := strings.TrimPrefix(parts[1], "-")
		fmt.Fprintf(&out, "{\"Action\":%q,\"Package\":\"example.org/agentkeys/agentkeys/internal/p\",\"Test\":%q,\"Output\":%q}\n", parts[0], name, parts[2])
	}
	return out.String()
}

func resultOf(stream string) (result, error) {
	all := newRuns()
	err := all.read(strings.NewReader(stream))
	return all.result(), err
}

func TestWhatARunComesTo(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		lines []string
		want  string
		good  bool
	}{
		"all pass": {
			lines: []string{"run A", "pass A", "pass -"},
			want:  "1 passed, 0 failed, 0 skipped\n", good: true,
		},
		"a failure that fails again": {
			lines: []string{"fail A", "fail -", "fail A", "fail -"},
			want:  "0 passed, 1 failed, 0 skipped\n",
		},
		"a failure that passes alone": {
			lines: []string{"fail A", "pass B", "fail -", "pass A", "pass -"},
			want:  "FLAKY: internal/p.A failed, and passed when it ran alone\n2 passed, 0 failed, 0 skipped\n", good: true,
		},
		"a race is no flake": {
			lines: []string{"output A WARNING: DATA RACE\n", "fail A", "fail -", "pass A", "pass -"},
			want:  "FAULT: internal/p.A: data race\nFLAKY: internal/p.A failed, and passed when it ran alone\n1 passed, 0 failed, 0 skipped\n",
		},
		"a panic is no flake": {
			lines: []string{"output A panic: runtime error\n", "fail A", "fail -", "pass A", "pass -"},
			want:  "FAULT: internal/p.A: panic\nFLAKY: internal/p.A failed, and passed when it ran alone\n1 passed, 0 failed, 0 skipped\n",
		},
		"a time-out is no flake": {
			lines: []string{"output A panic: test timed out after 1m\n", "fail A", "fail -", "pass A", "pass -"},
			want:  "FAULT: internal/p.A: time-out\nFLAKY: internal/p.A failed, and passed when it ran alone\n1 passed, 0 failed, 0 skipped\n",
		},
		"a leak in one test": {
			lines: []string{"output A     a_test.go:3: found unexpected goroutines:\n", "fail A", "fail -", "pass A", "pass -"},
			want:  "FAULT: internal/p.A: goroutine leak\nFLAKY: internal/p.A failed, and passed when it ran alone\n1 passed, 0 failed, 0 skipped\n",
		},
		"a leak that TestMain finds": {
			lines: []string{"pass A", "output - goleak: Errors on successful test run: found unexpected goroutines:\n", "fail -", "pass -"},
			want:  "FAULT: internal/p: goroutine leak\n1 passed, 0 failed, 0 skipped\n",
		},
		"a package that ends by itself": {
			lines: []string{"pass A", "fail -", "pass -"},
			want:  "FAULT: internal/p: the package failed outside of its tests\n1 passed, 0 failed, 0 skipped\n",
		},
		"a test that never ended": {
			lines: []string{"run A", "fail -"},
			want:  "FAULT: internal/p: the package failed outside of its tests\n0 passed, 1 failed, 0 skipped\n",
		},
		"a child's panic in a test that passes": {
			lines: []string{"output A panic: the child's\n", "pass A", "pass -"},
			want:  "1 passed, 0 failed, 0 skipped\n", good: true,
		},
		"skips by reason": {
			lines: []string{
				"output A     a_test.go:1: zsh is not installed\n", "skip A",
				"output B     a_test.go:2: root is needed\n", "skip B", "output C     c_test.go:3: root is needed\n", "skip C", "skip D", "pass -",
			},
			want: "skipped 2: root is needed\nskipped 1: no reason given\nskipped 1: zsh is not installed\n0 passed, 0 failed, 4 skipped\n", good: true,
		},
		"a sequential test that a second pass ran": {
			lines: []string{"output A     a_test.go:1: " + needs.SequentialReason + "\n", "skip A", "pass -", "pass A", "pass -"},
			want:  "1 passed, 0 failed, 0 skipped\n", good: true,
		},
		"a sequential test that no pass ran": {
			lines: []string{"output A     a_test.go:1: " + needs.SequentialReason + "\n", "skip A", "pass B", "pass -"},
			want:  "1 passed, 1 failed, 0 skipped\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, err := resultOf(stream(c.lines...))
			if err != nil {
				t.Fatal(err)
			}
			var out strings.Builder
			r.print(&out)
			if diff := cmp.Diff(c.want, out.String()); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			if r.good() != c.good {
				t.Errorf("good: %v, want %v", r.good(), c.good)
			}
		})
	}
}

func TestARunThatDidNotCompileIsAFailure(t *testing.T) {
	t.Parallel()
	r, err := resultOf("")
	if err != nil {
		t.Fatal(err)
	}
	r.incomplete = true
	var out strings.Builder
	r.print(&out)
	if got := out.String(); got != "0 passed, 1 failed, 0 skipped\n" || r.good() {
		t.Errorf("%q, good: %v", got, r.good())
	}
}
