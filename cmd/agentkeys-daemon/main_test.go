package main

import (
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) { testscript.Main(m, map[string]func(){name: main}) }

// The scripts are the command line's specification; what needs a broker is in
// test/e2e.
func TestCommandLine(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			env.Setenv("HOME", env.WorkDir)
			env.Setenv("AGENTKEYS_HOME", env.WorkDir+"/home")
			env.Setenv("AGENTKEYS_CONFIG_DIR", env.WorkDir+"/etc")
			env.Setenv("AGENTKEYS_SESSION_STORE", "file")
			return nil
		},
	})
}

func TestAQRCodeIsDrawnWithHalfBlocks(t *testing.T) {
	t.Parallel()
	drawn := qrBlocks("K7QF-2M9X-RT4B")
	lines := 0
	width := -1
	for line := range splitLines(drawn) {
		n := len([]rune(line))
		if width >= 0 && n != width {
			t.Fatalf("line %d has %d characters, the others %d", lines, n, width)
		}
		width = n
		lines++
	}
	if lines < 12 || width < 25 {
		t.Fatalf("%d lines of %d characters", lines, width)
	}
}

func splitLines(text string) func(func(string) bool) {
	return func(yield func(string) bool) {
		line := ""
		for _, r := range text {
			if r != '\n' {
				line += string(r)
				continue
			}
			if !yield(line) {
				return
			}
			line = ""
		}
	}
}
