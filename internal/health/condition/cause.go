package condition

import (
	"slices"

	"github.com/agentkeys/agentkeys/internal/words"
)

// consequence declares that a condition only follows from others. While one of them holds
// too, people are shown the cause alone, with what the consequence adds; the metrics list
// each code.
type consequence struct {
	code Code
	by   []Code // the most likely cause first
	adds string // to the line of the cause; empty: nothing that the cause does not say
}

func consequences() []consequence {
	return []consequence{
		{RenewalFailing, []Code{SessionRevoked, CloneSuspected, SessionExpired}, ""},
		{RenewalFailing, []Code{
			StateReadOnly, NoSpace, SlotInsecure, SlotCorrupt, SlotInconsistent,
			KeychainLocked, KeychainUnavailable, StoreInDoubt, BrokerCertificateChanged, BrokerAway,
		}, "the session was not renewed for more than a day"},
		{OfflineTooLong, []Code{SessionExpired, BrokerCertificateChanged, BrokerAway}, "this lasts longer than the owner allows, so nothing is served"},
		{BrokerAway, []Code{SessionExpired}, ""},
		{FellBackToFile, []Code{StoreInDoubt}, "the session is stored in the file"},
		{ClockWrong, []Code{ClockNotSet}, ""},
	}
}

// Causes names, for each code of held that only follows from another code of held, the
// code at the start of the chain.
func Causes(held []string) map[string]string {
	return Follow(held, Because)
}

// Because lists the codes that code may follow from, the most likely first.
func Because(code string) []string {
	var by []string
	for _, c := range consequences() {
		if string(c.code) == code {
			for _, cause := range c.by {
				by = append(by, string(cause))
			}
		}
	}
	return by
}

// Adds is what a consequence adds to the line of its cause, where that line is about the
// codes in tells; empty: nothing.
func Adds(code string, tells ...string) string {
	for _, c := range consequences() {
		if string(c.code) == code && slices.ContainsFunc(c.by, func(by Code) bool { return slices.Contains(tells, string(by)) }) {
			return c.adds
		}
	}
	return ""
}

// Follow is Causes with other relations: because lists the codes that a code may follow from.
func Follow(held []string, because func(string) []string) map[string]string {
	first := func(code string) (string, bool) {
		for _, by := range because(code) {
			if slices.Contains(held, by) {
				return by, true
			}
		}
		return "", false
	}
	causes := map[string]string{}
	for _, code := range held {
		cause, follows := first(code)
		for range held { // no chain is longer than this
			if !follows {
				break
			}
			causes[code] = cause
			cause, follows = first(cause)
		}
	}
	return causes
}

// OfState lists the conditions that explain why an instance is in this state.
func OfState(state words.State) []Code {
	switch state {
	case words.StateOffline:
		return []Code{BrokerAway, BrokerCertificateChanged, SessionExpired, OfflineTooLong}
	case words.StateWaitingForKeychain:
		return []Code{KeychainLocked, KeychainUnavailable}
	case words.StateBlocked:
		return []Code{SlotInsecure, SlotCorrupt, SlotInconsistent}
	case words.StateRevoked:
		return []Code{SessionRevoked}
	case words.StateParked:
		return []Code{CloneSuspected}
	}
	return nil
}
