package broker_test

import (
	"testing"

	"github.com/agentkeys/agentkeys/internal/broker/brokertest"
	"github.com/agentkeys/agentkeys/internal/wallet"
)

func TestAgentsComeInPages(t *testing.T) {
	t.Parallel()
	s := brokertest.Start(t)
	s.Fleet(s.Owner(), 3) // another owner's
	owner := s.Owner()
	made := 0
	for _, c := range []struct{ agents, pages int }{{0, 1}, {499, 1}, {500, 1}, {501, 2}, {1000, 2}, {1001, 3}} {
		s.Fleet(owner, c.agents-made)
		made = c.agents
		seen, pages := map[wallet.Wallet]bool{}, 0
		for cursor, more := uint64(0), true; more; pages++ {
			page := brokertest.Must(s.Broker.Agents(ctx(t), owner.Credentials(), cursor))(t)
			for _, a := range page.Agents {
				seen[a.Wallet] = true
			}
			cursor, more = page.Next, page.Next != 0
		}
		if len(seen) != c.agents || pages != c.pages {
			t.Errorf("%d agents in %d pages, want %d in %d", len(seen), pages, c.agents, c.pages)
		}
	}
}
