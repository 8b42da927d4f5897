package main

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/agentkeys/agentkeys/internal/owner"
	"github.com/agentkeys/agentkeys/internal/protocol"
)

type usageCmd struct {
	Agent   string `help:"Only this agent." placeholder:"IDENTITY"`
	Service string `help:"Only this service." placeholder:"SERVICE"`
	Action  string `help:"Only this action, like access_denied." placeholder:"ACTION"`
	Since   string `help:"Not older than this: 24h, 2026-01-31, 2026-01-31T12:00:00Z or Unix seconds." placeholder:"TIME"`
	Accept  bool   `help:"Take the trail as it is now, after you restored the broker."`
}

// usageEntry is one element of `usage --json`. Interface, caller and unit are empty, and
// reported_time is absent, where a row does not tell.
type usageEntry struct {
	Time         int64  `json:"time"` // of receipt, by the broker's clock
	Agent        string `json:"agent"`
	Service      string `json:"service"`
	Action       string `json:"action"`
	Result       string `json:"result"`
	Where        string `json:"where"`
	Interface    string `json:"interface"`
	Caller       string `json:"caller"`
	Unit         string `json:"unit"`
	Count        int    `json:"count"`
	ReportedTime int64  `json:"reported_time,omitempty"` // by the board's clock, of what came late
	Detail       string `json:"detail"`
}

func entryOf(r protocol.AuditRow) usageEntry {
	d := protocol.ParseAccessDetail(r.Detail)
	e := usageEntry{
		Time: r.Time, Service: r.Service, Action: r.Action, Result: r.Result, Where: r.Where, Detail: r.Detail,
		Interface: d.Interface, Caller: d.Caller, Unit: d.Unit, Count: d.Count, ReportedTime: d.At,
	}
	if !r.Agent.IsZero() {
		e.Agent = r.Agent.String()
	}
	return e
}

// Run checks the whole chain and prints what the filters leave, oldest first.
func (c usageCmd) Run(a *app) error {
	defer a.interruptible()()
	if err := checkAction(c.Action); err != nil {
		return err
	}
	since, err := parseSince(c.Since, time.Now())
	if err != nil {
		return err
	}
	o, err := a.owner()
	if err != nil {
		return err
	}
	q := protocol.AuditQuery{Service: c.Service, Action: c.Action, Since: since}
	if c.Agent != "" {
		if q.Agent, err = o.Resolve(a.ctx, c.Agent); err != nil {
			return err
		}
	}
	found, err := o.Usage(a.ctx, q, c.Accept)
	if err != nil && !errors.Is(err, owner.ErrRewritten) {
		return err
	}
	return errors.Join(a.printUsage(found), err) // a rewritten trail is shown, and is an error
}

func (a *app) printUsage(found []protocol.AuditRow) error {
	list, rows := []usageEntry{}, [][]string{}
	for _, r := range found {
		list = append(list, entryOf(r))
		rows = append(rows, []string{when(r.Time), walletText(r.Agent), r.Service, r.Action, r.Result, r.Where, r.Detail})
	}
	return a.table(list, []string{"TIME", "AGENT", "SERVICE", "ACTION", "RESULT", "WHERE", "DETAIL"}, rows)
}

// checkAction refuses what no row can say: an empty table would look like an answer.
func checkAction(action string) error {
	known := []string{
		protocol.ActionAccountCreated, protocol.ActionPairingOpened, protocol.ActionPairingApproved, protocol.ActionPairingDenied,
		protocol.ActionPairingExpired, protocol.ActionRecovered, protocol.ActionRenewed, protocol.ActionResumed, protocol.ActionProofFailed,
		protocol.ActionParked, protocol.ActionReopened, protocol.ActionRevoked, protocol.ActionTornDown, protocol.ActionManifestChanged,
		protocol.ActionSynced, protocol.ActionAccessGranted, protocol.ActionAccessDenied, protocol.ActionEventsLost,
	}
	if action == "" || slices.Contains(known, action) {
		return nil
	}
	return usageError{message: fmt.Sprintf("--action %.64q is none of %s", action, strings.Join(known, ", ")), hint: "agentkeys usage --action access_denied"}
}

// parseSince reads a time in one of the forms of the help; 0 for none.
func parseSince(text string, now time.Time) (int64, error) {
	if text == "" {
		return 0, nil
	}
	if d, err := time.ParseDuration(text); err == nil && !strings.HasPrefix(text, "-") {
		return now.Add(-d).Unix(), nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.Unix(), nil
		}
	}
	if unix, err := strconv.ParseInt(text, 10, 64); err == nil && !strings.HasPrefix(text, "-") {
		return unix, nil
	}
	return 0, usageError{message: fmt.Sprintf("--since %.64q is no time", text), hint: "agentkeys usage --since 24h"}
}
