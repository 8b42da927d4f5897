package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/agentkeys/agentkeys/internal/cli"
	"github.com/agentkeys/agentkeys/internal/owner"
	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/scope"
	"github.com/agentkeys/agentkeys/internal/seal"
	"github.com/agentkeys/agentkeys/internal/wallet"
)

// TestAgentsFitATerminal is what an owner of three agents sees.
func TestAgentsFitATerminal(t *testing.T) {
	t.Parallel()
	const now = 1_800_000_000
	agent := func(digit, alias, state, host string, seen int64, services string) owner.Agent {
		w, err := wallet.Parse("0x" + strings.Repeat(digit, 40))
		if err != nil {
			t.Fatal(err)
		}
		s, err := scope.Parse(services)
		if err != nil {
			t.Fatal(err)
		}
		return owner.Agent{
			Manifest: seal.Manifest{Wallet: w, Alias: alias, Scope: s},
			Seen:     protocol.Agent{State: state, Host: host, LastSeen: seen, Version: "0.1.0", StorageBackend: "keychain"},
		}
	}
	agents := []owner.Agent{
		agent("1", "hermes", protocol.AgentOnline, "pi-kitchen", now-12, "openrouter,anthropic"),
		agent("2", "", protocol.AgentOffline, "pi-garden", now-7200, "none"),
		agent("3", "iris", protocol.AgentParked, "mini", now-90, "all"),
	}
	for width, golden := range map[int]string{
		80: `
ALIAS                        STATE    SEEN     SCOPE                  HOST
iris                         parked   1m ago   all                    mini
0x2222222222222222222222...  offline  2h ago   none                   pi-garden
hermes                       online   12s ago  anthropic, openrouter  pi-kitchen
`,
		120: `
ALIAS                                       STATE    SEEN     SCOPE                  HOST        STORED IN  VERSION
iris                                        parked   1m ago   all                    mini        keychain   0.1.0
0x2222222222222222222222222222222222222222  offline  2h ago   none                   pi-garden   keychain   0.1.0
hermes                                      online   12s ago  anthropic, openrouter  pi-kitchen  keychain   0.1.0
`,
	} {
		var out bytes.Buffer
		if _, err := (cli.Table{Columns: agentColumns(cli.Paint{}), Width: width}).Write(&out, agentRows(agents, time.Unix(now, 0))); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(golden, "\n"+out.String()); diff != "" {
			t.Errorf("%d columns:\n%s\n%s", width, out.String(), diff)
		}
	}
}
