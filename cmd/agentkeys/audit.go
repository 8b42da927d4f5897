package main

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/agentkeys/agentkeys/internal/cli"
	"github.com/agentkeys/agentkeys/internal/owner"
	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/wallet"
)

type usageCmd struct {
	target

	Service string `help:"Only this service." placeholder:"SERVICE"`
	Action  string `help:"Only this action, like access_denied." placeholder:"ACTION"`
	Since   string `help:"Not older than this: 24h, 2026-01-31, 2026-01-31T12:00:00Z or Unix seconds." placeholder:"TIME"`
	All     bool   `help:"All rows, and the chain verified from the first one. Takes as long as the trail is."`
	Accept  bool   `help:"Take the trail as it is now, after you restored the broker."`
}

// usageEntry is one element of `usage --json`. Interface, caller and unit are empty, and
// reported_time is missing, if the row does not have them.
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
	Reason       string `json:"reason,omitempty"` // of a denial
	Count        int    `json:"count"`
	ReportedTime int64  `json:"reported_time,omitempty"` // by the board's clock, of a late report
	Detail       string `json:"detail"`
}

func entryOf(r protocol.AuditRow) usageEntry {
	d := protocol.ParseAccessDetail(r.Detail)
	e := usageEntry{
		Time: r.Time, Service: r.Service, Action: r.Action, Result: r.Result, Where: r.Where, Detail: r.Detail,
		Interface: d.Interface, Caller: d.Caller, Unit: d.Unit, Reason: d.Reason, Count: d.Count, ReportedTime: d.At,
	}
	if !r.Agent.IsZero() {
		e.Agent = r.Agent.String()
	}
	return e
}

// Run verifies the chain from the row that was seen last, and prints the newest rows that pass the
// filters, oldest first.
func (c usageCmd) Run(a *app) error {
	defer a.interruptible()()
	if err := checkAction(c.Action); err != nil {
		return err
	}
	since, err := parseSince(c.Since, time.Now())
	if err != nil {
		return err
	}
	identity, err := c.named()
	if err != nil {
		return err
	}
	o, err := a.owner()
	if err != nil {
		return err
	}
	q := owner.UsageQuery{Service: c.Service, Action: c.Action, Since: since, All: c.All, Accept: c.Accept}
	if identity != "" {
		if q.Agent, err = o.Resolve(a.ctx, identity); err != nil {
			return err
		}
	}
	out := usageOutput{app: a, alias: func(w wallet.Wallet) string {
		if w == o.Wallet() {
			return "the owner"
		}
		return o.Alias(a.ctx, w)
	}}
	older, err := o.Usage(a.ctx, q, out.add)
	if err != nil && !errors.Is(err, owner.ErrRewritten) {
		return err
	}
	if err := errors.Join(out.end(), err); err != nil { // the rows of a rewritten trail are shown before the error
		return err
	}
	if older {
		a.note("older rows are not shown; agentkeys usage --since 720h, or --all, shows more")
	}
	return nil
}

// usageOutput prints rows as they arrive: one JSON array, or a table whose columns fit each part of
// the rows.
type usageOutput struct {
	app   *app
	alias func(wallet.Wallet) string // empty: not known
	begun bool
}

const whenWidth = 10 // of the first column at most, as `400d ago` with the gap after it

func usageColumns() []cli.Column {
	return []cli.Column{{Title: "WHEN"}, {Title: "WHAT", Min: 30}, {Title: "CALLER", Drop: 1}, {Title: "TIME", Drop: 2}, {Title: "WALLET", Drop: 3}}
}

// usageLine is a row for people. width is the terminal's; 0: of any length.
func usageLine(r protocol.AuditRow, agent string, width int, now time.Time) []string {
	when := ago(r.Time, now)
	if width > 0 {
		width = max(1, width-whenWidth)
	}
	d := protocol.ParseAccessDetail(r.Detail)
	at := r.Time
	if d.At != 0 {
		at = d.At
	}
	return []string{when, sentence(r, names{agent, r.Service}, width), cmp.Or(d.Unit, d.Caller), clock(at), walletText(r.Agent)}
}

// name is what a person calls the agent of a row.
func (u *usageOutput) name(w wallet.Wallet) string {
	switch {
	case w.IsZero():
		return "the account"
	case u.alias != nil && u.alias(w) != "":
		return u.alias(w)
	}
	return w.String()
}

func (u *usageOutput) width() int {
	if u.app.global.Wide {
		return 0
	}
	return cli.WidthOf(u.app.stdout.Raw())
}

func (u *usageOutput) add(part []protocol.AuditRow) error {
	if u.app.global.JSON {
		return u.addJSON(part)
	}
	if u.begun && len(part) == 0 {
		return nil
	}
	rows := [][]string{}
	for _, r := range part {
		rows = append(rows, usageLine(r, u.name(r.Agent), u.width(), time.Now()))
	}
	t := cli.Table{Columns: usageColumns(), Bare: u.begun}
	u.begun = true
	return u.app.columns(t, rows)
}

func (u *usageOutput) addJSON(part []protocol.AuditRow) error {
	for _, r := range part {
		separator := ","
		if !u.begun {
			separator = "["
		}
		u.begun = true
		if _, err := fmt.Fprint(u.app.stdout, separator); err != nil {
			return err
		}
		if err := u.app.printJSON(entryOf(r)); err != nil {
			return err
		}
	}
	return nil
}

// end prints the header of an empty table, or the end of the array.
func (u *usageOutput) end() error {
	switch {
	case !u.app.global.JSON:
		return u.add(nil)
	case u.begun:
		_, err := fmt.Fprintln(u.app.stdout, "]")
		return err
	}
	return u.app.printJSON([]usageEntry{})
}

// checkAction refuses an action that no row can have, because an empty table would look like a
// result.
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
	return cli.Usage(fmt.Sprintf("--action %.64q is none of %s", action, strings.Join(known, ", ")), "agentkeys usage --action access_denied")
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
	return 0, cli.Usage(fmt.Sprintf("--since %.64q is no time", text), "agentkeys usage --since 24h")
}
