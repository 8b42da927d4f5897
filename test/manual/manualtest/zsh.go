package manualtest

import (
	_ "embed"
	"strings"
	"testing"

	"github.com/agentkeys/agentkeys/test/manual"
)

// zshTab types lines into an interactive zsh on a terminal of its own and prints what Tab
// offers.
//
//go:embed tab.zsh
var zshTab string

// askZsh presses Tab in an interactive zsh.
func askZsh(t *testing.T, p manual.Program, presses []Press) []string {
	t.Helper()
	args := []string{"-f", "-c", zshTab, "tab", place(t, p), mark}
	for _, press := range presses {
		args = append(args, press.Line)
	}
	out := run(t, "zsh", args...)
	out.stdout = strings.ReplaceAll(out.stdout, "\r", "")
	return answers(t, out, len(presses))
}
