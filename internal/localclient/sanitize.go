package localclient

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/agentkeys/agentkeys/internal/display"
	"github.com/agentkeys/agentkeys/internal/health/condition"
	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/scope"
	"github.com/agentkeys/agentkeys/internal/words"
)

// A daemon may run as a user with fewer rights than its caller, and another program may
// listen in its place. So whatever it sends is checked or cleaned here before it reaches a
// terminal, a log or a script (ADR 17).

const (
	unknown = "unknown" // in place of a word that no daemon sends

	// CodeUnknown stands for all conditions whose code this version does not know, because
	// the daemon is newer or the code is made up.
	CodeUnknown = "unknown_condition"

	maxText = 300 // characters of a text that is shown
)

// known is word, or what stands in the place of a word that no daemon says.
func known[W ~string](word W, all []W) W {
	if slices.Contains(all, word) {
		return word
	}
	return unknown
}

func sanitizeStatus(s protocol.Status) protocol.Status {
	s.State = known(s.State, words.States())
	s.Storage.Backend, s.Storage.KeychainState = known(s.Storage.Backend, words.Backends()), known(s.Storage.KeychainState, words.KeychainStates())
	s.Broker = sanitizeBroker(s.Broker)
	s.Conditions = sanitizeConditions(s.Conditions, s.Wallet.String())
	return s
}

// sanitizeBroker accepts addresses and names of settings. They contain no blank, so a
// sentence in their place is refused.
func sanitizeBroker(b protocol.StatusBroker) protocol.StatusBroker {
	for _, text := range []*string{&b.URL, &b.From} {
		if *text = display.Clip(*text, maxText); strings.ContainsFunc(*text, unicode.IsSpace) {
			*text = unknown
		}
	}
	return b
}

// sanitizeConditions takes the code of each condition, once, and its detail. Severity, text
// and hint are those that this program declares.
func sanitizeConditions(told []protocol.StatusCondition, wallet string) []protocol.StatusCondition {
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
			message += ": " + display.Clip(detail, maxText)
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

func checkCredentials(list []protocol.CredentialInfo) error {
	for _, c := range list {
		if scope.CheckService(c.Service) != nil {
			return errService
		}
	}
	return nil
}

// sanitizeProblem returns false for a code of another form than ours, because scripts and
// people rely on it. It cleans the texts.
func sanitizeProblem(p *protocol.Problem) bool {
	p.Challenge, p.DenyMAC = "", ""
	for _, text := range []*string{&p.Type, &p.Title, &p.Detail} {
		*text = display.Clip(*text, maxText)
	}
	return p.Code != "" && len(p.Code) <= 64 && strings.Trim(p.Code, "abcdefghijklmnopqrstuvwxyz_") == ""
}
