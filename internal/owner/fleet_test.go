package owner_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/agentkeys/agentkeys/internal/broker/brokertest"
	"github.com/agentkeys/agentkeys/internal/owner"
	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/scope"
	"github.com/agentkeys/agentkeys/internal/secret"
	"github.com/agentkeys/agentkeys/internal/wallet"
	"github.com/agentkeys/agentkeys/internal/words"
)

// journal is manifests.json as it is on disk.
type journal struct {
	Version int                        `json:"version"`
	Wallets map[string]json.RawMessage `json:"wallets"`
	Audit   json.RawMessage            `json:"audit,omitempty"`
	Epoch   string                     `json:"epoch,omitempty"`
}

func (h *machine) journalPath() string {
	return filepath.Join(h.slots.Dir(h.cfg.ID), words.FileManifests)
}

func (h *machine) journal() journal {
	h.t.Helper()
	var j journal
	if err := json.Unmarshal(must(os.ReadFile(h.journalPath()))(h.t), &j); err != nil {
		h.t.Fatal(err)
	}
	return j
}

// fill adds wallets to the journal until there are n.
func (h *machine) fill(n int) {
	h.t.Helper()
	j := h.journal()
	for len(j.Wallets) < n {
		j.Wallets[wallet.New().String()] = json.RawMessage(`{"revision":1,"records":{},"revoked":false}`)
	}
	if err := os.WriteFile(h.journalPath(), must(json.Marshal(j))(h.t), 0o600); err != nil {
		h.t.Fatal(err)
	}
}

func TestAnOwnerOfManyAgentsIsNotLockedOut(t *testing.T) {
	t.Parallel()
	h := initialised(t)
	h.pair("bot", scope.All())
	for _, n := range []int{1024, 1025, 3000} {
		h.fill(n)
		o := h.open()
		must(o.Agents(t.Context()))(t)
		must(o.Store(t.Context(), "bot", "openrouter", secret.New("v")))(t)
		h.usage(owner.UsageQuery{})
		if got := len(h.journal().Wallets); got < n {
			t.Fatalf("%d wallets of %d are left", got, n)
		}
	}
	must(h.open().Revoke(t.Context(), "bot"))(t)
}

func TestAnOwnerWhoseJournalIsFullCanStillTakeAway(t *testing.T) {
	t.Parallel()
	h := initialised(t)
	h.pair("bot", scope.All())
	h.pair("other", scope.All())
	must(h.open().Agents(t.Context()))(t)
	size := func() int { return int(must(os.Stat(h.journalPath()))(t).Size()) }
	full := size()
	said := 0
	h.cfg.Warn = func(string) { said++ }
	h.cfg.KnownLimit = full
	must(h.open().Store(t.Context(), "bot", "openrouter", secret.New("v")))(t)
	if size() != full || said == 0 {
		t.Errorf("%d bytes of at most %d, and the owner was told %d times", size(), full, said)
	}
	must(h.open().Revoke(t.Context(), "bot"))(t)
	must(h.open().Teardown(t.Context(), "other"))(t)
	must(h.open().Teardown(t.Context(), "bot"))(t)
	if size() > full/2 {
		t.Errorf("%d bytes of %d are left after both were torn down", size(), full)
	}
}

func TestTheJournalGrowsUpToItsLimit(t *testing.T) {
	t.Parallel()
	h := initialised(t)
	h.pair("bot", scope.All())
	before := h.journal()
	must(h.open().Store(t.Context(), "bot", "openrouter", secret.New("v")))(t)
	after := must(os.ReadFile(h.journalPath()))(t)
	for name, c := range map[string]struct {
		limit int
		kept  bool
	}{"one byte too small": {len(after) - 1, false}, "at the limit": {len(after), true}, "one byte more": {len(after) + 1, true}} {
		if err := os.WriteFile(h.journalPath(), must(json.Marshal(before))(t), 0o600); err != nil {
			t.Fatal(err)
		}
		h.cfg.KnownLimit = c.limit
		must(h.open().Agents(t.Context()))(t)
		if got := string(must(os.ReadFile(h.journalPath()))(t)) == string(after); got != c.kept {
			t.Errorf("%s: kept %v", name, got)
		}
	}
}

func TestOfAnAgentThatWasTornDownOnlyTheEndIsKept(t *testing.T) {
	t.Parallel()
	h := initialised(t)
	m, _ := h.pair("bot", scope.All())
	must(h.open().Store(t.Context(), "bot", "openrouter", secret.New("v")))(t)
	must(h.open().Teardown(t.Context(), "bot"))(t)
	want := `{"revision":2,"records":{},"revoked":false,"torn_down":true}`
	if got := string(h.journal().Wallets[m.Wallet.String()]); got != want {
		t.Errorf("kept %s, want %s", got, want)
	}
}

func TestTheOwnerIsToldBeforeTheJournalIsFull(t *testing.T) {
	t.Parallel()
	for size, warns := range map[int]bool{owner.KnownWarn - 1: false, owner.KnownWarn: true, owner.KnownWarn + 1: true} {
		var said []string
		owner.WarnOfSize(func(text string) { said = append(said, text) }, size, size)
		switch {
		case warns != (len(said) == 1):
			t.Errorf("%d bytes: %q", size, said)
		case warns && !strings.Contains(said[0], "agentkeys teardown"):
			t.Errorf("no way on is named: %s", said[0])
		}
	}
}

func TestAFleetIsListedThoughOneAnswerCannotHoldIt(t *testing.T) {
	t.Parallel()
	h := initialised(t)
	h.pair("bot", scope.All())
	sess, _, err := h.slots.Load(t.Context(), h.cfg.ID)
	if err != nil {
		t.Fatal(err)
	}
	h.srv.Fleet(&brokertest.Owner{Wallet: sess.Wallet, Signing: sess.SigningSeed}, 1000) // two full pages
	o := h.open()
	if agents := must(o.Agents(t.Context()))(t); len(agents) != 1001 {
		t.Fatalf("%d agents", len(agents))
	}
	must(o.Revoke(t.Context(), "bot"))(t)
}

func TestABrokerWhosePagesHaveNoEndIsRefused(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(cursor uint64, page *protocol.AgentList){
		"the first page again": func(cursor uint64, page *protocol.AgentList) { page.Next = cursor + 1 },
		"the same cursor":      func(cursor uint64, page *protocol.AgentList) { page.Agents, page.Next = nil, max(cursor, 1) },
		"empty pages":          func(cursor uint64, page *protocol.AgentList) { page.Agents, page.Next = nil, cursor+1 },
	} {
		h := initialised(t)
		h.pair("bot", scope.All())
		h.lie = func(inner owner.Broker) owner.Broker { return &circles{inner, change} }
		if _, err := h.open().Agents(t.Context()); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// circles is a broker whose list of agents does not end.
type circles struct {
	owner.Broker
	change func(uint64, *protocol.AgentList)
}

func (c *circles) Agents(ctx context.Context, token secret.String, cursor uint64) (protocol.AgentList, error) {
	page, err := c.Broker.Agents(ctx, token, 0)
	c.change(cursor, &page)
	return page, err
}
