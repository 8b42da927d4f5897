package main

import (
	"cmp"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/agentkeys/agentkeys/internal/display"
	"github.com/agentkeys/agentkeys/internal/protocol"
)

// names are what a sentence calls the agent and the service of a row.
type names struct{ agent, service string }

// A sentence that does not fit the terminal has its names cut to so many characters: what happened is
// at its end.
const (
	shortAgent   = 13
	shortService = 16
)

func (n names) short() names {
	return names{display.Clip(n.agent, shortAgent), display.Clip(n.service, shortService)}
}

// sentence is what happened, in one line. Codes are in `usage --json`.
func sentence(r protocol.AuditRow, n names, width int) string {
	whole := describe(r, n)
	if width > 0 && utf8.RuneCountInString(whole) > width {
		return describe(r, n.short())
	}
	return whole
}

func describe(r protocol.AuditRow, n names) string {
	d := protocol.ParseAccessDetail(r.Detail)
	service := cmp.Or(n.service, "credentials")
	text := ""
	switch r.Action {
	case protocol.ActionAccessGranted:
		text = n.agent + " read " + service
	case protocol.ActionAccessDenied:
		text = n.agent + " read " + service + ": denied" + refusal(r, d)
	case protocol.ActionSynced:
		text = n.agent + " fetched " + service
	case protocol.ActionEventsLost:
		return fmt.Sprintf("%s: %d reads (%s) are missing, because too many waited for the broker", n.agent, d.Count, r.Result)
	default:
		text = event(r, n.agent)
	}
	if d.Count > 1 {
		text += fmt.Sprintf(", %d times", d.Count)
	}
	if d.At != 0 {
		text += " (reported late)"
	}
	return text
}

// refusal is why an access was denied.
func refusal(r protocol.AuditRow, d protocol.AccessDetail) string {
	switch {
	case d.Reason == protocol.ReasonScope:
		return ", not in its scope"
	case d.Reason == protocol.ReasonRules:
		return ", no rule lets the caller ask"
	case d.Reason == protocol.ReasonRevoked:
		return ", it is revoked"
	case strings.HasPrefix(r.Detail, "wallet "):
		return ", it is of " + r.Detail
	case r.Detail == "an owner's request":
		return ", it is an owner's request"
	}
	return ""
}

// event is everything but accesses. The detail is the broker's.
func event(r protocol.AuditRow, agent string) string {
	said := map[string]string{
		protocol.ActionAccountCreated:  "your account was created",
		protocol.ActionPairingOpened:   "a board asks for approval",
		protocol.ActionPairingApproved: agent + " was approved",
		protocol.ActionPairingDenied:   "a board was denied",
		protocol.ActionPairingExpired:  "a board was not approved in time",
		protocol.ActionRecovered:       agent + " was recovered",
		protocol.ActionRenewed:         agent + " renewed its session",
		protocol.ActionResumed:         agent + " resumed its session",
		protocol.ActionProofFailed:     agent + " sent a wrong proof",
		protocol.ActionParked:          agent + " was parked: two boards may have its session",
		protocol.ActionReopened:        agent + " was reopened",
		protocol.ActionRevoked:         agent + " was revoked",
		protocol.ActionTornDown:        agent + " was torn down",
		protocol.ActionManifestChanged: agent + " was changed",
	}
	text, known := said[r.Action]
	if !known {
		text = agent + ": " + r.Action // of a newer broker
	}
	if r.Detail == "" || r.Detail == protocol.ParseAccessDetail(r.Detail).String() {
		return text // there is a count at most
	}
	return text + ": " + plain(r)
}

var (
	pairPattern   = regexp.MustCompile(` (scope|alias|host|identity)=`)
	sealedPattern = regexp.MustCompile(` \+([a-z0-9-]+)`)
	gonePattern   = regexp.MustCompile(` -([a-z0-9][a-z0-9-]*)`)
)

// plain turns a detail of the broker, as `revision 2 scope=a, b +openrouter`, into words.
func plain(r protocol.AuditRow) string {
	text := strings.TrimPrefix(strings.TrimPrefix(r.Detail, "the account, "), "pair ")
	text = pairPattern.ReplaceAllString(text, ", $1 ")
	if r.Action != protocol.ActionManifestChanged {
		return text
	}
	text = strings.Replace(text, " emails", ", e-mail addresses", 1)
	text = sealedPattern.ReplaceAllString(text, ", sealed $1")
	return gonePattern.ReplaceAllString(text, ", removed $1")
}
