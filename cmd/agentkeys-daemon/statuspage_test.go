package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/agentkeys/agentkeys/internal/cli"
	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/stdio"
	"github.com/agentkeys/agentkeys/internal/wallet"
	"github.com/agentkeys/agentkeys/internal/words"
)

// board is the status of three agents, in the order of their wallets.
func board(t *testing.T) []lookedAt {
	t.Helper()
	var all []lookedAt
	for i, state := range []words.State{words.StateOnline, words.StateBlocked, words.StateOffline} {
		w, err := wallet.Parse([]string{hung, garbage, online}[i])
		if err != nil {
			t.Fatal(err)
		}
		st := protocol.Status{Wallet: w, State: state, Sync: protocol.StatusSync{AgeSeconds: -1}}
		if state == words.StateBlocked {
			st.Conditions = []protocol.StatusCondition{{Code: "slot_insecure", Severity: "error", Message: strings.Repeat("word ", 30), Hint: "chmod 600 FILE"}}
		}
		all = append(all, lookedAt{st, -1, words.ExitOK})
	}
	return all
}

func TestStatusOfABoardShowsTheWorstFirst(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	p := &program{stdout: stdio.NewOutput(&out)}
	if err := p.printStatuses(board(t), cli.Paint{}); err != nil {
		t.Fatal(err)
	}
	var states []string
	for line := range strings.Lines(out.String()) {
		if state, ok := strings.CutPrefix(line, "  state    "); ok {
			states = append(states, strings.TrimSpace(state))
		}
	}
	if got := strings.Join(states, " "); got != "blocked offline online" {
		t.Errorf("%s in\n%s", got, out.String())
	}
	if strings.Contains(out.String(), "\x1b") {
		t.Errorf("coloured although no terminal reads it:\n%q", out.String())
	}
}

func TestALineOfStatusFitsItsTerminal(t *testing.T) {
	t.Parallel()
	page := statusPage{width: 80}
	for _, i := range board(t) {
		page.add(i)
	}
	for line := range strings.Lines(page.text.String()) {
		if len(strings.TrimRight(line, "\n")) > 80 {
			t.Errorf("%d columns: %s", len(line), line)
		}
	}
}
