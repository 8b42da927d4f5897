package broker_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/agentkeys/agentkeys/internal/broker/brokertest"
	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/scope"
)

func events(from, n int, at int64) []protocol.Event {
	out := make([]protocol.Event, n)
	for i := range out {
		out[i] = protocol.Event{
			ID: fmt.Sprintf("%032x", from+i), Time: at, Service: "openrouter", Interface: "agent.sock",
			Caller: "uid=1000", Result: "ok", Count: 1,
		}
	}
	return out
}

func TestAnAgentCannotBuryTheTrail(t *testing.T) {
	t.Parallel()
	s := brokertest.Start(t)
	owner := s.Owner()
	d := s.Agent(owner, scope.All())
	report := someReport()
	for i := range 2 {
		report.Events = events(i*1000, 1000, s.Clock.Now().Unix())
		if err := s.Broker.Report(t.Context(), d.Credentials(), report); err != nil {
			t.Fatalf("report %d: %v", i, err)
		}
	}
	report.Events = events(5000, 31, s.Clock.Now().Unix())
	if got := code(t, s.Broker.Report(t.Context(), d.Credentials(), report)); got != protocol.CodeSlowDown {
		t.Fatalf("after a full queue, twice: %q", got)
	}
	s.Advance(8 * time.Minute)
	if err := s.Broker.Report(t.Context(), d.Credentials(), report); err != nil {
		t.Fatalf("eight minutes later: %v", err)
	}
}

func TestOnlyTheBrokersClockOrdersRows(t *testing.T) {
	t.Parallel()
	s := brokertest.Start(t)
	owner := s.Owner()
	d := s.Agent(owner, scope.All())
	now := s.Clock.Now().Unix()
	for i, c := range []struct{ said, at int64 }{
		{now, 0}, {now - 3600, now - 3600}, {now + 3600, 0}, {1, 0}, {now - 46*24*3600, 0},
	} {
		report := someReport(events(i, 1, c.said)...)
		if err := s.Broker.Report(ctx(t), d.Credentials(), report); err != nil {
			t.Fatal(err)
		}
		rows := granted(t, s, owner)
		last := rows[len(rows)-1]
		if len(rows) != i+1 || last.Time != now || protocol.ParseAccessDetail(last.Detail).At != c.at {
			t.Errorf("said %d: %+v", c.said-now, last)
		}
	}
}

func someReport(events ...protocol.Event) protocol.Report {
	return protocol.Report{Version: "v1", Host: "pi", StorageBackend: "file", KeychainState: "no_bus", State: "online", Events: events}
}

func granted(t *testing.T, s *brokertest.Server, owner *brokertest.Owner) []protocol.AuditRow {
	t.Helper()
	q := protocol.AuditQuery{Action: protocol.ActionAccessGranted, Since: s.Clock.Now().Unix() - 60}
	return brokertest.Must(s.Broker.Audit(ctx(t), owner.Credentials(), q))(t).Rows
}

func TestAReportNamesNothingThatIsNotItsOwn(t *testing.T) {
	t.Parallel()
	s := brokertest.Start(t)
	owner := s.Owner()
	a, other := s.Agent(owner, scope.All()), s.Agent(owner, scope.All())
	theirs := "agentkeys-daemon@" + other.Wallet.String() + ".service"
	for name, edit := range map[string]func(*protocol.Event){
		"another wallet's unit":       func(e *protocol.Event) { e.Unit = theirs },
		"another wallet as interface": func(e *protocol.Event) { e.Interface = other.Wallet.String() },
		"another wallet as caller":    func(e *protocol.Event) { e.Caller = "uid=" + other.Wallet.String() },
		"a second field in a text":    func(e *protocol.Event) { e.Caller = "uid=1 unit=hermes.service" },
		"a million":                   func(e *protocol.Event) { e.Count = 1_000_000 },
		"one above the most":          func(e *protocol.Event) { e.Count = protocol.MaxEventCount + 1 },
		"a read of nothing":           func(e *protocol.Event) { e.Service = "" },
	} {
		t.Run(name, func(t *testing.T) {
			e := events(1, 1, s.Clock.Now().Unix())[0]
			edit(&e)
			if got := code(t, s.Broker.Report(ctx(t), a.Credentials(), someReport(e))); got != protocol.CodeBadRequest {
				t.Errorf("%q", got)
			}
		})
	}
	if rows := granted(t, s, owner); len(rows) != 0 {
		t.Errorf("%+v", rows)
	}
	e := events(1, 1, s.Clock.Now().Unix())[0]
	e.Unit, e.Count = "agentkeys-daemon@"+a.Wallet.String()+".service", protocol.MaxEventCount
	if err := s.Broker.Report(ctx(t), a.Credentials(), someReport(e)); err != nil {
		t.Fatal(err)
	}
	if rows := granted(t, s, owner); len(rows) != 1 || rows[0].Where != "local" {
		t.Errorf("%+v", rows)
	}
}
