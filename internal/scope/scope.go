// Package scope says which services an agent may have: all, a list, or none.
// The zero value is none, so a scope that was not set grants nothing.
package scope

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// MaxServices is how many services a list may name (a wallet holds at most 64 records).
const MaxServices = 64

// Errors of the parsers; both are usage errors (exit 64).
var (
	ErrService = errors.New("a service is 1 to 63 of a-z, 0-9 and '-', and does not begin with '-'")
	ErrScope   = errors.New("a scope is all, none, or a list of services: a,b")
)

var servicePattern = regexp.MustCompile(`\A[a-z0-9][a-z0-9-]{0,62}\z`)

// CheckService returns nil if name is a service name, else ErrService. The words all and
// none are refused, because a list with them would be ambiguous.
func CheckService(name string) error {
	if !servicePattern.MatchString(name) || name == "all" || name == "none" {
		return fmt.Errorf("service %q: %w", name[:min(len(name), 64)], ErrService)
	}
	return nil
}

// EnvName is the environment variable of a service: upper case, `-` to `_`, plus `_API_KEY`.
func EnvName(service string) string {
	return strings.ToUpper(strings.ReplaceAll(service, "-", "_")) + "_API_KEY"
}

// Scope is an immutable value; the zero value allows nothing.
type Scope struct {
	all      bool
	services []string // sorted, unique
}

// All allows every service of the wallet.
func All() Scope { return Scope{all: true} }

// None allows nothing.
func None() Scope { return Scope{} }

// Of allows the named services. It returns ErrService or ErrScope (too many).
func Of(services ...string) (Scope, error) {
	for _, s := range services {
		if err := CheckService(s); err != nil {
			return Scope{}, err
		}
	}
	list := slices.Compact(slices.Sorted(slices.Values(services)))
	if len(list) > MaxServices {
		return Scope{}, fmt.Errorf("%d services, at most %d: %w", len(list), MaxServices, ErrScope)
	}
	return Scope{services: list}, nil
}

// Parse reads what people type: all, none, or a list separated by commas.
func Parse(text string) (Scope, error) {
	switch strings.TrimSpace(text) {
	case "all":
		return All(), nil
	case "none":
		return None(), nil
	case "":
		return Scope{}, fmt.Errorf("scope is empty: %w", ErrScope)
	}
	names := strings.Split(text, ",")
	for i := range names {
		names[i] = strings.TrimSpace(names[i])
	}
	return Of(names...)
}

// Allows reports whether service is in the scope.
func (s Scope) Allows(service string) bool {
	if s.all {
		return true
	}
	_, found := slices.BinarySearch(s.services, service)
	return found
}

// IsAll reports whether the scope is all.
func (s Scope) IsAll() bool { return s.all }

// Services is the list, sorted; nil for all and none.
func (s Scope) Services() []string { return slices.Clone(s.services) }

// Equal compares what is allowed.
func (s Scope) Equal(o Scope) bool { return s.all == o.all && slices.Equal(s.services, o.services) }

// String is `all`, `a, b` or `none`.
func (s Scope) String() string {
	switch {
	case s.all:
		return "all"
	case len(s.services) == 0:
		return "none"
	}
	return strings.Join(s.services, ", ")
}

// MarshalJSON writes "all" or a list; none is the empty list.
func (s Scope) MarshalJSON() ([]byte, error) {
	if s.all {
		return []byte(`"all"`), nil
	}
	return json.Marshal(append([]string{}, s.services...))
}

// UnmarshalJSON reads "all" or a list. null is an error; package strictjson refuses a
// missing scope. A repeated or unsorted list is accepted.
func (s *Scope) UnmarshalJSON(data []byte) error {
	if bytes.Equal(bytes.TrimSpace(data), []byte("null")) {
		return fmt.Errorf("scope is null: %w", ErrScope)
	}
	var word string
	if json.Unmarshal(data, &word) == nil {
		if word != "all" {
			return fmt.Errorf("scope %q: %w", word[:min(len(word), 64)], ErrScope)
		}
		*s = All()
		return nil
	}
	var list []*string
	if err := json.Unmarshal(data, &list); err != nil {
		return fmt.Errorf("scope: %w", ErrScope)
	}
	names := make([]string, len(list))
	for i, p := range list {
		if p == nil {
			return fmt.Errorf("scope holds null: %w", ErrScope)
		}
		names[i] = *p
	}
	parsed, err := Of(names...)
	if err != nil {
		return err
	}
	*s = parsed
	return nil
}
