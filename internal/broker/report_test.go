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
	report := protocol.Report{Version: "v1", Host: "pi", StorageBackend: "file", KeychainState: "no_bus", State: "online"}
	for i := range 2 {
		report.Events = events(i*1000, 1000, s.Clock.Now().Unix())
		if err := s.Broker.Report(ctx(t), d.Credentials(), report); err != nil {
			t.Fatalf("report %d: %v", i, err)
		}
	}
	report.Events = events(5000, 31, s.Clock.Now().Unix())
	if got := code(t, s.Broker.Report(ctx(t), d.Credentials(), report)); got != protocol.CodeSlowDown {
		t.Fatalf("after a full queue, twice: %q", got)
	}
	s.Advance(2 * time.Minute)
	if err := s.Broker.Report(ctx(t), d.Credentials(), report); err != nil {
		t.Fatalf("two minutes later: %v", err)
	}
}

func TestAnEventsTimeIsBelievedWhereItCanBeRight(t *testing.T) {
	t.Parallel()
	s := brokertest.Start(t)
	owner := s.Owner()
	d := s.Agent(owner, scope.All())
	now := s.Clock.Now().Unix()
	for i, c := range []struct{ said, want int64 }{
		{now - 3600, now - 3600}, {now + 3600, now}, {1, now}, {now - 46*24*3600, now},
	} {
		report := protocol.Report{Version: "v1", Host: "pi", StorageBackend: "file", KeychainState: "no_bus", State: "online", Events: events(i, 1, c.said)}
		if err := s.Broker.Report(ctx(t), d.Credentials(), report); err != nil {
			t.Fatal(err)
		}
		rows := brokertest.Must(s.Broker.Audit(ctx(t), owner.Credentials(), protocol.AuditQuery{Action: protocol.ActionAccessGranted}))(t).Rows
		if len(rows) != i+1 || rows[i].Time != c.want {
			t.Errorf("said %d: %+v", c.said-now, rows[len(rows)-1])
		}
	}
}
