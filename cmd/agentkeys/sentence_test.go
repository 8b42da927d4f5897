package main

import (
	"bytes"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/agentkeys/agentkeys/internal/cli"
	"github.com/agentkeys/agentkeys/internal/protocol"
)

func TestEachRowIsASentence(t *testing.T) {
	t.Parallel()
	detail := func(reason string, count int) string {
		return protocol.AccessDetail{Interface: "agent.sock", Caller: "uid=1000", Reason: reason, Count: count}.String()
	}
	for want, r := range map[string]protocol.AuditRow{
		"hermes read openrouter":                                                        {Action: protocol.ActionAccessGranted, Service: "openrouter", Detail: detail("", 1)},
		"hermes read openrouter, 3 times":                                               {Action: protocol.ActionAccessGranted, Service: "openrouter", Detail: detail("", 3)},
		"hermes read openrouter: denied, not in its scope":                              {Action: protocol.ActionAccessDenied, Service: "openrouter", Detail: detail(protocol.ReasonScope, 1)},
		"hermes read openrouter: denied, no rule lets the caller ask":                   {Action: protocol.ActionAccessDenied, Service: "openrouter", Detail: detail(protocol.ReasonRules, 1)},
		"hermes read credentials: denied, it is revoked, 2 times":                       {Action: protocol.ActionAccessDenied, Detail: detail(protocol.ReasonRevoked, 2)},
		"hermes read openrouter: denied":                                                {Action: protocol.ActionAccessDenied, Service: "openrouter", Detail: detail("", 1)},
		"hermes read x: denied, it is of wallet 0x1":                                    {Action: protocol.ActionAccessDenied, Service: "x", Detail: "wallet 0x1"},
		"hermes read credentials: denied, it is an owner's request":                     {Action: protocol.ActionAccessDenied, Detail: "an owner's request"},
		"hermes fetched openrouter":                                                     {Action: protocol.ActionSynced, Service: "openrouter"},
		"hermes read openrouter (reported late)":                                        {Action: protocol.ActionAccessGranted, Service: "openrouter", Detail: "count=1 at=2026-01-31T12:00:00Z"},
		"hermes: 12 reads (denied) are missing, because too many waited for the broker": {Action: protocol.ActionEventsLost, Result: "denied", Detail: detail("", 12)},
		"your account was created: from 10.0.0.1":                                       {Action: protocol.ActionAccountCreated, Detail: "from 10.0.0.1"},
		"a board asks for approval: from 10.0.0.1, host pi, alias hermes":               {Action: protocol.ActionPairingOpened, Detail: "pair from 10.0.0.1 host=pi alias=hermes"},
		"a board asks for approval: recover from 10.0.0.1, host pi, identity hermes":    {Action: protocol.ActionPairingOpened, Detail: "recover from 10.0.0.1 host=pi identity=hermes"},
		"hermes was changed: revision 4, scope a, b, e-mail addresses, sealed openrouter, removed brave-search": {
			Action: protocol.ActionManifestChanged, Detail: "revision 4 scope=a, b emails +openrouter -brave-search",
		},
		"hermes renewed its session, 5 times":                        {Action: protocol.ActionRenewed, Detail: "count=5"},
		"hermes was reopened: after the database was put back":       {Action: protocol.ActionReopened, Detail: "the account, after the database was put back"},
		"hermes was revoked: the approval was not used for 24 hours": {Action: protocol.ActionRevoked, Detail: "the approval was not used for 24 hours"},
		"hermes: something_newer: x":                                 {Action: "something_newer", Detail: "x"},
	} {
		if got := sentence(r, names{"hermes", r.Service}, 0); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// Every action that --action takes has words of its own.
func TestNoSentenceShowsACode(t *testing.T) {
	t.Parallel()
	for _, action := range actions(t) {
		if text := sentence(protocol.AuditRow{Action: action}, names{"hermes", "openrouter"}, 0); strings.Contains(text, "_") {
			t.Errorf("%s: %q", action, text)
		}
	}
}

func TestUsageFitsATerminal(t *testing.T) {
	t.Parallel()
	const now = 1_800_000_000
	detail := protocol.AccessDetail{Interface: "agent.sock", Caller: "uid=1000", Unit: "hermes.service", Reason: protocol.ReasonScope, Count: 1}.String()
	long := strings.Repeat("a-long-alias-", 5)[:63]
	type line struct {
		agent string
		protocol.AuditRow
	}
	rows := []line{
		{"hermes", protocol.AuditRow{Time: now - 86400*3, Action: protocol.ActionAccessDenied, Service: "openrouter", Detail: detail}},
		{long, protocol.AuditRow{Time: now - 60, Action: protocol.ActionAccessDenied, Service: long, Detail: detail}},
		{"0x1111111111111111111111111111111111111111", protocol.AuditRow{Time: now, Action: protocol.ActionSynced, Service: "brave-search"}},
	}
	for width, golden := range map[int]string{
		80: `
WHEN    WHAT
3d ago  hermes read openrouter: denied, not in its scope
1m ago  a-long-alias-... read a-long-alias-a-l...: denied, not in its scope
0s ago  0x1111111111111111111111111111111111111111 fetched brave-search
`,
		120: `
WHEN    WHAT                                                                 CALLER          TIME
3d ago  hermes read openrouter: denied, not in its scope                     hermes.service  2027-01-12T08:00:00Z
1m ago  a-long-alias-... read a-long-alias-a-l...: denied, not in its scope  hermes.service  2027-01-15T07:59:00Z
0s ago  0x1111111111111111111111111111111111111111 fetched brave-search                      2027-01-15T08:00:00Z
`,
	} {
		var cells [][]string
		for _, r := range rows {
			cells = append(cells, usageLine(r.AuditRow, r.agent, width, time.Unix(now, 0)))
		}
		var out bytes.Buffer
		if _, err := (cli.Table{Columns: usageColumns(), Width: width}).Write(&out, cells); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(golden, "\n"+out.String()); diff != "" {
			t.Errorf("%d columns:\n%s\n%s", width, out.String(), diff)
		}
		for text := range strings.Lines(out.String()) {
			if utf8.RuneCountInString(text) > width+1 {
				t.Errorf("%d columns: %q", width, text)
			}
		}
	}
}
