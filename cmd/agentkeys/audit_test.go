package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/agentkeys/agentkeys/internal/protocol"
)

func TestUsageInJSONTellsWhatTheTableTells(t *testing.T) {
	t.Parallel()
	detail := protocol.AccessDetail{Interface: "agent.sock", Caller: "uid=1000", Unit: "hermes.service", Count: 3, At: 1_700_000_000}.String()
	for name, c := range map[string]struct {
		detail, iface, caller, unit string
		count                       int
		at                          int64
	}{
		"a local read":  {detail, "agent.sock", "uid=1000", "hermes.service", 3, 1_700_000_000},
		"another thing": {"from 10.0.0.1", "", "", "", 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			row := protocol.AuditRow{Number: 1, Time: 5, Service: "x", Action: protocol.ActionAccessGranted, Result: "ok", Where: "local", Detail: c.detail}
			want := usageEntry{
				Time: 5, Service: "x", Action: protocol.ActionAccessGranted, Result: "ok", Where: "local", Detail: c.detail,
				Interface: c.iface, Caller: c.caller, Unit: c.unit, Count: c.count, ReportedTime: c.at,
			}
			if diff := cmp.Diff(want, entryOf(row)); diff != "" {
				t.Error(diff)
			}
		})
	}
}
