package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/stdio"
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

// Rows come in parts, however many there are: they are one array, or one table.
func TestUsageInPartsIsOneArrayOrOneTable(t *testing.T) {
	t.Parallel()
	row := func(service string) protocol.AuditRow {
		return protocol.AuditRow{Time: 5, Service: service, Action: protocol.ActionRenewed, Result: "ok", Where: "broker"}
	}
	for name, parts := range map[string][][]protocol.AuditRow{
		"none": nil, "an empty one": {{}}, "one": {{row("a"), row("b")}}, "several": {{row("a")}, {}, {row("b"), row("c")}}, "the first one empty": {{}, {row("a")}},
	} {
		want := []string{}
		for _, p := range parts {
			for _, r := range p {
				want = append(want, r.Service)
			}
		}
		print := func(asJSON bool) string {
			var text bytes.Buffer
			u := usageOutput{app: &app{stdout: stdio.NewOutput(&text), global: global{JSON: asJSON}}}
			for _, p := range parts {
				if err := u.add(p); err != nil {
					t.Fatal(err)
				}
			}
			if err := u.end(); err != nil {
				t.Fatal(err)
			}
			return text.String()
		}
		var entries []usageEntry
		if err := json.Unmarshal([]byte(print(true)), &entries); err != nil {
			t.Fatalf("%s: %v in %s", name, err, print(true))
		}
		got := []string{}
		for _, e := range entries {
			got = append(got, e.Service)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(name, diff)
		}
		if table := print(false); strings.Count(table, "\n") != len(want)+1 || !strings.HasPrefix(table, "WHEN ") || strings.Count(table, "WHEN") != 1 {
			t.Errorf("%s: %s", name, table)
		}
	}
}
