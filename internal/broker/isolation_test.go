package broker_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/agentkeys/agentkeys/internal/broker/brokertest"
	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/scope"
	"github.com/agentkeys/agentkeys/internal/wallet"
)

func TestTwoOwnersSeeNothingOfEachOther(t *testing.T) {
	t.Parallel()
	s := brokertest.Start(t)
	owner, other := s.Owner(), s.Owner()
	mine, theirs := s.Agent(owner, scope.All(), "openrouter"), s.Agent(other, scope.All(), "openrouter")
	m := theirs.Manifest
	m.Revision = 2
	b, c, w := s.Broker, owner.Credentials(), theirs.Wallet
	for name, err := range map[string]error{
		"agent":                 second(b.Agent(ctx(t), c, w)),
		"manifest":              second(b.Manifest(ctx(t), c, w)),
		"records":               second(b.Records(ctx(t), c, w)),
		"record":                second(b.Record(ctx(t), c, w, "openrouter")),
		"put manifest":          second(b.PutManifest(ctx(t), c, w, 1, other.Put(t, m))),
		"revoke":                b.Revoke(ctx(t), c, w),
		"teardown":              b.Teardown(ctx(t), c, w),
		"reopen":                b.Reopen(ctx(t), c, w, protocol.Reopen{}),
		"record, by an agent":   second(b.Record(ctx(t), mine.Credentials(), w, "openrouter")),
		"manifest, by an agent": second(b.Manifest(ctx(t), mine.Credentials(), w)),
	} {
		if got := code(t, err); got != protocol.CodeNotFound {
			t.Errorf("%s: %q", name, got)
		}
	}
	agents := brokertest.Must(b.Agents(ctx(t), c, 0))(t)
	if len(agents.Agents) != 1 || agents.Agents[0].Wallet != mine.Wallet {
		t.Errorf("%+v", agents.Agents)
	}
	for _, r := range brokertest.Must(b.Audit(ctx(t), c, protocol.AuditQuery{}))(t).Rows {
		if r.Agent == theirs.Wallet || (strings.Contains(r.Detail, w.String()) && r.Agent != mine.Wallet) {
			t.Errorf("a row of the other owner: %+v", r)
		}
	}
	if got := code(t, second(b.Session(ctx(t), theirs.Credentials()))); got != "" {
		t.Errorf("the other owner's agent: %q", got)
	}
}

func TestAuditIsAChain(t *testing.T) {
	t.Parallel()
	s := brokertest.Start(t)
	owner := s.Owner()
	d := s.Agent(owner, scope.All(), "openrouter")
	for range 250 {
		if _, err := s.Broker.Record(ctx(t), d.Credentials(), d.Wallet, "openrouter"); err != nil {
			t.Fatal(err)
		}
	}
	var rows []protocol.AuditRow
	var q protocol.AuditQuery
	for {
		page := brokertest.Must(s.Broker.Audit(ctx(t), owner.Credentials(), q))(t)
		rows = append(rows, page.Rows...)
		if q.Cursor = page.Next; q.Cursor == 0 {
			if last := rows[len(rows)-1]; page.Head.Number != last.Number || page.Head.SHA256 != last.SHA256 {
				t.Errorf("head %+v, last row %+v", page.Head, last)
			}
			break
		}
	}
	if len(rows) < 250 {
		t.Fatalf("%d rows", len(rows))
	}
	previous := ""
	for i, r := range rows {
		if r.Number != uint64(i)+1 || r.SHA256 != protocol.ChainRow(previous, r) {
			t.Fatalf("row %d breaks the chain: %+v", i, r)
		}
		previous = r.SHA256
	}
	end := brokertest.Must(s.Broker.Audit(ctx(t), owner.Credentials(), protocol.AuditQuery{FromEnd: true, Limit: 3}))(t)
	if n := len(rows); end.Next != 0 || cmp.Diff(rows[n-3:], end.Rows, cmp.Comparer(func(a, b wallet.Wallet) bool { return a == b })) != "" {
		t.Errorf("the end of %d rows: %+v", n, end)
	}
	for limit, want := range map[int]int{len(rows) - 1: len(rows) - 1, len(rows): 0, len(rows) + 1: 0} {
		page := brokertest.Must(s.Broker.Audit(ctx(t), owner.Credentials(), protocol.AuditQuery{Limit: limit}))(t)
		if page.Next != uint64(want) || len(page.Rows) != min(limit, len(rows)) {
			t.Errorf("a page of at most %d: %d rows, next %d", limit, len(page.Rows), page.Next)
		}
	}
}

func TestAReportCountsOnce(t *testing.T) {
	t.Parallel()
	s := brokertest.Start(t)
	owner := s.Owner()
	d := s.Agent(owner, scope.All())
	event := protocol.Event{
		ID: strings.Repeat("ab", 16), Time: s.Clock.Now().Unix() - 5, Service: "openrouter", Interface: "agent.sock",
		Caller: "uid=1000", Unit: "hermes.service", Result: "denied", Reason: protocol.ReasonScope, Count: 3,
	}
	report := protocol.Report{Version: "v1", Host: "pi", StorageBackend: "file", KeychainState: "no_bus", State: "online", Events: []protocol.Event{event, event}}
	for range 2 {
		if err := s.Broker.Report(ctx(t), d.Credentials(), report); err != nil {
			t.Fatal(err)
		}
	}
	rows := brokertest.Must(s.Broker.Audit(ctx(t), owner.Credentials(), protocol.AuditQuery{Action: protocol.ActionAccessDenied, Service: "openrouter"}))(t).Rows
	if len(rows) != 1 || rows[0].Where != "local" || rows[0].Time != s.Clock.Now().Unix() ||
		rows[0].Detail != "interface=agent.sock caller=uid=1000 unit=hermes.service reason=scope count=3" {
		t.Errorf("%+v", rows)
	}
	agent := brokertest.Must(s.Broker.Agent(ctx(t), owner.Credentials(), d.Wallet))(t)
	if agent.State != protocol.AgentOnline || agent.Version != "v1" || agent.StorageBackend != "file" {
		t.Errorf("%+v", agent)
	}
	for name, change := range map[string]func(*protocol.Event){
		"an id":        func(e *protocol.Event) { e.ID = "x" },
		"a service":    func(e *protocol.Event) { e.Service = "../x" },
		"a result":     func(e *protocol.Event) { e.Result = "maybe" },
		"a reason":     func(e *protocol.Event) { e.Reason = "mood" },
		"no denial":    func(e *protocol.Event) { e.Result = "ok" },
		"a count":      func(e *protocol.Event) { e.Count = 0 },
		"an escape":    func(e *protocol.Event) { e.Caller = "\x1b[31m" },
		"a bidi trick": func(e *protocol.Event) { e.Unit = "a\u202eb" },
	} {
		bad := report
		bad.Events = []protocol.Event{event}
		change(&bad.Events[0])
		if got := code(t, s.Broker.Report(ctx(t), d.Credentials(), bad)); got != protocol.CodeBadRequest {
			t.Errorf("%s: %q", name, got)
		}
	}
}
