package pty_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/agentkeys/agentkeys/internal/cli"
	"github.com/agentkeys/agentkeys/test/pty"
)

func TestATerminalHasItsColumns(t *testing.T) {
	t.Parallel()
	p := pty.New(t, 93)
	if got := cli.WidthOf(p.File); got != 93 || !cli.IsTerminal(p.File) {
		t.Errorf("%d columns", got)
	}
	want := strings.Repeat("a line of text\n", 2000)
	if _, err := fmt.Fprint(p, want); err != nil {
		t.Fatal(err)
	}
	if got := p.Shown(); got != want {
		t.Errorf("%d bytes, want %d", len(got), len(want))
	}
}
