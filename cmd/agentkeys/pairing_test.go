package main

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/stdio"
)

func TestPairingsSayWhereOlderOnesAreNotListed(t *testing.T) {
	t.Parallel()
	for n, told := range map[int]bool{199: false, 200: true} {
		var said bytes.Buffer
		a := &app{stdout: stdio.NewOutput(io.Discard), stderr: &said}
		if err := a.showPairings(make([]protocol.PairingEntry, n)); err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(said.String(), "usage --all"); got != told {
			t.Errorf("%d pairings: %q", n, said.String())
		}
	}
}
