package broker

import (
	"context"
	"errors"
	"regexp"

	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/scope"
	"github.com/agentkeys/agentkeys/internal/wallet"
)

const (
	maxEvents   = 1000           // of one report
	lateAfter   = 120            // seconds: counts of a minute and repeated reports are not late
	maxEventAge = 45 * 24 * 3600 // seconds: longer than a session lives without its broker
)

var eventPattern = regexp.MustCompile(`\A[0-9a-f]{32}\z`)

// Report records an agent's state and the accesses that it granted or denied. An event's id counts
// once, so a report may be repeated.
func (b *Broker) Report(ctx context.Context, c Credentials, body protocol.Report) error {
	if err := checkReport(body); err != nil {
		return err
	}
	return b.asAgent(ctx, c, func(tx Tx, p principal) error {
		if err := checkNames(body.Events, p.Wallet); err != nil {
			return err
		}
		if err := b.takeEvents(p, body.Events); err != nil {
			return err
		}
		a, err := b.own(tx, p, p.Wallet)
		if err != nil {
			return err
		}
		before := a
		a.Version, a.Host = body.Version, body.Host
		a.StorageBackend, a.KeychainState = string(body.StorageBackend), string(body.KeychainState)
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
	detail := protocol.AccessDetail{
		Interface: e.Interface, Caller: e.Caller, Unit: e.Unit, Reason: e.Reason, Count: e.Count, At: happened(e.Time, now),
	}
	return b.append(tx, p.Account, protocol.AuditRow{
		Agent: p.Wallet, Service: e.Service, Action: eventAction(e), Result: e.Result, Where: whereLocal, Detail: detail.String(),
	})
}

func eventAction(e protocol.Event) string {
	switch {
	case e.Lost:
		return protocol.ActionEventsLost
	case e.Result == resultDenied:
		return protocol.ActionAccessDenied
	}
	return protocol.ActionAccessGranted
}

// takeEvents admits a report as a whole or not at all. The daemon keeps refused events and adds to
// their counts, and unlike a count of the broker they survive a power cut.
func (b *Broker) takeEvents(p principal, events []protocol.Event) error {
	of := map[string]int{}
	for _, e := range events {
		of[eventAction(e)]++
	}
	for action, n := range of {
		if wait := b.budget.Take(part{p.Account, p.Wallet, kind{action, whereLocal}}, n, b.now()); wait > 0 {
			return slowDown("too many events of this agent", wait)
		}
	}
	return nil
}

// happened is when an event happened by the board's clock, in addition to the row's own time, which
// is the broker's, so that a report cannot put a row among old ones. 0: the report came at once, or
// the board's clock is impossible.
func happened(said, now int64) int64 {
	if said > now-lateAfter || said < now-maxEventAge {
		return 0
	}
	return said
}

func checkReport(body protocol.Report) error {
	for _, text := range []string{body.Version, body.Host, string(body.StorageBackend), string(body.KeychainState), string(body.State)} {
		if !protocol.IsReportText(text) {
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
		case scope.CheckService(e.Service) != nil && (e.Service != "" || !e.Lost && e.Result != resultDenied):
			return badRequest("an event's service is malformed")
		case e.Result != resultOK && e.Result != resultDenied:
			return badRequest("an event's result is not ok or denied")
		case e.Reason != "" && (!protocol.IsReason(e.Reason) || e.Result != resultDenied || e.Lost):
			return badRequest("an event's reason is unknown or not of a denial")
		case e.Count < 1 || e.Count > protocol.MaxEventCount || e.Time < 1:
			return badRequest("an event's count or time is out of range")
		case !textOf(e.Interface, protocol.IsInterface, e.Lost) || !textOf(e.Caller, protocol.IsCaller, e.Lost) ||
			!textOf(e.Unit, protocol.IsUnit, true):
			return badRequest("an event's interface, caller or unit is malformed")
		}
	}
	return nil
}

func textOf(text string, is func(string) bool, mayBeEmpty bool) bool {
	return text == "" && mayBeEmpty || text != "" && is(text)
}

// checkNames refuses events that name a unit or wallet of another agent.
func checkNames(events []protocol.Event, own wallet.Wallet) error {
	for _, e := range events {
		for _, text := range []string{e.Interface, e.Caller, e.Unit} {
			if protocol.NamesOtherWallet(text, own) {
				return badRequest("an event names another wallet")
			}
		}
	}
	return nil
}
