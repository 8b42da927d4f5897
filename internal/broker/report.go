package broker

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"unicode/utf8"

	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/scope"
)

const (
	maxEvents     = 1000 // of one report
	maxReportText = 256  // bytes: a systemd unit's name is longer than a host's
	maxCount      = 1_000_000
	maxEventAge   = 45 * 24 * 3600 // seconds: longer than a session lives without its broker
)

var eventPattern = regexp.MustCompile(`\A[0-9a-f]{32}\z`)

// Report takes what an agent says of its state and of the accesses that it granted
// or denied. An event's id counts once, so a report may be sent again.
func (b *Broker) Report(ctx context.Context, c Credentials, body protocol.Report) error {
	if err := checkReport(body); err != nil {
		return err
	}
	return b.asAgent(ctx, c, func(tx Tx, p principal) error {
		if wait := b.limits.events.Take(p.Wallet, len(body.Events), b.now()); wait > 0 {
			return slowDown("too many events of this agent", wait)
		}
		a, err := b.own(tx, p, p.Wallet)
		if err != nil {
			return err
		}
		before := a
		a.Version, a.Host = body.Version, body.Host
		a.StorageBackend, a.KeychainState = body.StorageBackend, body.KeychainState
		if a.Version != before.Version || a.Host != before.Host || a.StorageBackend != before.StorageBackend || a.KeychainState != before.KeychainState {
			if err := tx.SetAgent(a); err != nil {
				return err
			}
		}
		for _, e := range body.Events {
			if err := b.count(tx, p, e); err != nil {
				return err
			}
		}
		return nil
	})
}

func (b *Broker) count(tx Tx, p principal, e protocol.Event) error {
	now := b.unix()
	err := tx.AddEvent(p.Account, p.Wallet, e.ID, now)
	if errors.Is(err, ErrTaken) {
		return nil
	}
	if err != nil {
		return err
	}
	row := protocol.AuditRow{
		Time: eventTime(e.Time, now), Agent: p.Wallet, Service: e.Service, Action: protocol.ActionAccessGranted,
		Result: e.Result, Where: whereLocal, Detail: fmt.Sprintf("interface=%s caller=%s", e.Interface, e.Caller),
	}
	if e.Result == resultDenied {
		row.Action = protocol.ActionAccessDenied
	}
	if e.Unit != "" {
		row.Detail += " unit=" + e.Unit
	}
	if e.Count > 1 {
		row.Detail += fmt.Sprintf(" count=%d", e.Count)
	}
	return b.record(tx, p.Account, row)
}

// eventTime believes a board's clock only where it can be right: never ahead of the
// broker's, and not so far behind that the row would hide among old ones.
func eventTime(said, now int64) int64 {
	if said > now || said < now-maxEventAge {
		return now
	}
	return said
}

func checkReport(body protocol.Report) error {
	for _, text := range []string{body.Version, body.Host, body.StorageBackend, body.KeychainState, body.State} {
		if !printable(text) {
			return badRequest("a text of the report is too long or not printable")
		}
	}
	if len(body.Events) > maxEvents {
		return badRequest("too many events in one report")
	}
	for _, e := range body.Events {
		switch {
		case !eventPattern.MatchString(e.ID):
			return badRequest("an event's id is not 32 hex digits")
		case scope.CheckService(e.Service) != nil:
			return badRequest("an event's service is malformed")
		case e.Result != resultOK && e.Result != resultDenied:
			return badRequest("an event's result is not ok or denied")
		case e.Count < 1 || e.Count > maxCount || e.Time < 1:
			return badRequest("an event's count or time is out of range")
		case !printable(e.Interface) || !printable(e.Caller) || !printable(e.Unit):
			return badRequest("a text of an event is too long or not printable")
		}
	}
	return nil
}

// printable accepts ASCII without control characters: hosts, users, unit names.
// Other scripts are left out on purpose: these texts end on a person's terminal.
func printable(text string) bool {
	if len(text) > maxReportText || !utf8.ValidString(text) {
		return false
	}
	for _, r := range text {
		if r < ' ' || r > '~' {
			return false
		}
	}
	return true
}
