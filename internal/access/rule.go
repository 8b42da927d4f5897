// Package access decides which local process may ask a daemon for credentials, by user,
// group or systemd unit, as the settings say (docs/spec/architecture.md#who-may-ask). It is
// pure: the caller passes in who the peer is and what the names mean.
package access

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// Kind says what a rule looks at.
type Kind string

// The kinds of rules.
const (
	User  Kind = "user"
	Group Kind = "group"
	Unit  Kind = "unit"
)

// ErrRule says that a text is no rule; a usage error in the settings.
var ErrRule = errors.New(`a rule is user=NAME, group=NAME or unit=NAME.service`)

var (
	namePattern = regexp.MustCompile(`\A[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,31}\$?\z`)
	unitPattern = regexp.MustCompile(`\A[a-zA-Z0-9:_.\\@-]{1,246}\.(service|scope)\z`)
)

// Rule allows one user, group or unit.
type Rule struct {
	Kind Kind
	Name string // user or group name, or its number; unit with its suffix
}

// ParseRule reads `user=hermes`, `group=agents`, `unit=my-agent.service`.
func ParseRule(text string) (Rule, error) {
	kind, name, _ := strings.Cut(text, "=")
	r := Rule{Kind: Kind(kind), Name: name}
	pattern := namePattern
	switch r.Kind {
	case User, Group:
	case Unit:
		pattern = unitPattern
	default:
		return Rule{}, fmt.Errorf("rule %.80q: %w", text, ErrRule)
	}
	if !pattern.MatchString(name) {
		return Rule{}, fmt.Errorf("rule %.80q: %w", text, ErrRule)
	}
	return r, nil
}

// String is the rule as ParseRule reads it.
func (r Rule) String() string { return string(r.Kind) + "=" + r.Name }
