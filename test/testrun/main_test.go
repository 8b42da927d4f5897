package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/agentkeys/agentkeys/test/needs"
)

// moduleTest is a test of a module of its own that fails the first time alone.
const moduleTest = `package p
import ("os"; "testing")
func TestFirst(t *testing.T) {
	if _, err := os.Stat("seen"); err != nil {
		_ = os.WriteFile("seen", nil, 0o600)
		t.Fatal("the first time")
	}
}
func TestSkipped(t *testing.T) { t.Skip("something is missing: a command") }
func TestSecond(t *testing.T) { BODY }
`

// sequentialTest is one test as a program with and without the race detector has it; a
// build tag stands for the detector.
func sequentialTest() map[string]string {
	return map[string]string{
		"with_test.go":    "//go:build detector\n\npackage p\nimport \"testing\"\nfunc TestThird(t *testing.T) { t.Skip(`" + needs.SequentialReason + "`) }\n",
		"without_test.go": "//go:build !detector\n\npackage p\nimport \"testing\"\nfunc TestThird(t *testing.T) {}\n",
	}
}

func TestRealRuns(t *testing.T) {
	gotestsum := os.Getenv("AGENTKEYS_GOTESTSUM")
	if gotestsum == "" {
		t.Skip("the program gotestsum is needed: make test")
	}
	for name, c := range map[string]struct {
		body, want string
		code       int
		passes     []string
	}{
		"flaky":  {code: 0, want: "FLAKY: p.TestFirst failed, and passed when it ran alone\nskipped 1: something is missing: a command\n2 passed, 0 failed, 1 skipped\n"},
		"broken": {body: `t.Error("always")`, code: 1, want: "FLAKY: p.TestFirst failed, and passed when it ran alone\nskipped 1: something is missing: a command\n1 passed, 1 failed, 1 skipped\n"},
		"two passes": {
			passes: []string{"-race", "-tags=detector -v"},
			want:   "FLAKY: p.TestFirst failed, and passed when it ran alone\nskipped 1: something is missing: a command\n3 passed, 0 failed, 1 skipped\n",
		},
		"not compiled": {body: `undefined()`, code: 1, want: "0 passed, 1 failed, 0 skipped\n"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			files := map[string]string{}
			if c.passes != nil {
				files = sequentialTest()
			}
			files["go.mod"], files["p_test.go"] = "module p\n", strings.Replace(moduleTest, "BODY", c.body, 1)
			for file, text := range files {
				if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			t.Chdir(dir)
			t.Setenv("GOFLAGS", "")
			var out, errs strings.Builder
			if code := run(context.Background(), append(append([]string{"testrun", "-gotestsum", gotestsum}, c.passes...), "--", "-count=1"), &out, &errs); code != c.code {
				t.Errorf("exit code %d, want %d", code, c.code)
			}
			lines := strings.SplitAfter(out.String(), "\n")
			got := strings.Join(lines[max(0, len(lines)-1-strings.Count(c.want, "\n")):], "")
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s\n%s\n%s", diff, out.String(), errs.String())
			}
		})
	}
}
