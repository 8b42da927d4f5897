package localclient

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/agentkeys/agentkeys/internal/condition"
	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/scope"
	"github.com/agentkeys/agentkeys/internal/store"
	"github.com/agentkeys/agentkeys/internal/words"
)

// A daemon may run as a lower user than who asks it, and whatever listens in its place
// chooses its words. They reach a terminal, a log or a script only through here.

const (
	unknown = "unknown" // in place of a word that no daemon says

	// CodeUnknown stands for the conditions whose code this version does not know: a
	// newer daemon's, or invented ones.
	CodeUnknown = "unknown_condition"

	maxText = 300 // characters of a text that is shown
)

// plain is text on one line, without what a terminal or an eye would take for
// something else, and not long.
func plain(text string) string {
	var out strings.Builder
	n := 0
	for _, r := range text {
		if n++; n > maxText {
			return out.String() + "..."
		}
		if !unicode.IsPrint(r) || r == unicode.ReplacementChar { // controls, bidi marks, broken UTF-8
			r = '?'
		}
		out.WriteRune(r)
	}
	return out.String()
}

func oneOf(word string, known ...string) string {
	if slices.Contains(known, word) {
		return word
	}
	return unknown
}

func plainState(word words.State) words.State {
	if slices.Contains(words.States(), word) {
		return word
	}
	return words.StateUnknown
}

func plainBackend(word string) string {
	return oneOf(word, string(store.BackendKeychain), string(store.BackendFile), string(store.BackendNone))
}

func plainKeychain(word string) string {
	if slices.Contains(store.States(), store.KeychainState(word)) {
		return word
	}
	return unknown
}

func plainStatus(s protocol.Status) protocol.Status {
	s.State = plainState(s.State)
	s.Storage.Backend, s.Storage.KeychainState = plainBackend(s.Storage.Backend), plainKeychain(s.Storage.KeychainState)
	s.Broker = plainBroker(s.Broker)
	s.Conditions = plainConditions(s.Conditions, s.Wallet.String())
	return s
}

// plainBroker takes addresses and names of settings, which have no blank in them, and no
// sentence in their place.
func plainBroker(b protocol.StatusBroker) protocol.StatusBroker {
	for _, text := range []*string{&b.URL, &b.From} {
		if *text = plain(*text); strings.ContainsFunc(*text, unicode.IsSpace) {
			*text = unknown
		}
	}
	return b
}

// plainConditions takes of each condition the code, once, and what exactly: the rest
// is as this program declares it.
func plainConditions(told []protocol.StatusCondition, wallet string) []protocol.StatusCondition {
	out := []protocol.StatusCondition{}
	strange := 0
	for _, c := range told {
		d, ok := condition.Of(c.Code, c.Hint, wallet)
		switch {
		case !ok:
			strange++
			continue
		case slices.ContainsFunc(out, func(o protocol.StatusCondition) bool { return o.Code == c.Code }):
			continue
		}
		message := d.Message
		if detail, ok := strings.CutPrefix(c.Message, d.Message+": "); ok {
			message += ": " + plain(detail)
		}
		out = append(out, protocol.StatusCondition{Code: c.Code, Severity: string(d.Severity), Message: message, Hint: d.Hint})
	}
	if strange > 0 {
		out = append(out, protocol.StatusCondition{
			Code: CodeUnknown, Severity: string(condition.Warning),
			Message: fmt.Sprintf("%d that this version does not know", strange),
		})
	}
	return out
}

var errService = errors.New("the answer names no service")

func plainCredentials(list []protocol.CredentialInfo) error {
	for _, c := range list {
		if scope.CheckService(c.Service) != nil {
			return errService
		}
	}
	return nil
}

// plainProblem refuses a code that none is: scripts and people read it.
func plainProblem(p *protocol.Problem) bool {
	p.Type, p.Title, p.Detail, p.Challenge, p.DenyMAC = plain(p.Type), plain(p.Title), plain(p.Detail), "", ""
	return p.Code != "" && len(p.Code) <= 64 && strings.Trim(p.Code, "abcdefghijklmnopqrstuvwxyz_") == ""
}
