package main

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/agentkeys/agentkeys/internal/brokerclient"
	"github.com/agentkeys/agentkeys/internal/cli"
	"github.com/agentkeys/agentkeys/internal/display"
	"github.com/agentkeys/agentkeys/internal/health/condition"
	"github.com/agentkeys/agentkeys/internal/mounts"
	"github.com/agentkeys/agentkeys/internal/paths"
	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/words"
)

// instanceStatus is what `status --json` prints: the daemon's status, and its user.
type instanceStatus struct {
	protocol.Status
	User string `json:"user"` // the user as whom the daemon runs; empty: not known
}

// printStatuses prints a line of JSON for each wallet, or for people the worst first.
func (p *program) printStatuses(all []lookedAt, paint cli.Paint) error {
	if p.flags.JSON {
		for _, i := range all {
			if err := p.writeJSON(instanceStatus{i.status, userName(i.uid)}); err != nil {
				return err
			}
		}
		return nil
	}
	slices.SortStableFunc(all, func(a, b lookedAt) int {
		return cmp.Or(cli.Worst(string(a.status.State), string(b.status.State),
			string(words.StateBlocked), string(words.StateRevoked), string(words.StateNoAnswer), string(words.StateUnknown),
			string(words.StateParked), string(words.StateNotRunning), string(words.StateWaitingForKeychain), string(words.StateOffline),
			string(words.StateStarting), string(words.StateOnline)), severity(b.status)-severity(a.status))
	})
	page := statusPage{width: cli.WidthOf(p.stdout.Raw()), paint: paint}
	for _, i := range all {
		page.add(i)
	}
	p.printf("%s", page.text.String())
	return nil
}

// severity is 2 if a condition is an error, 1 if there is any other condition, else 0.
func severity(st protocol.Status) int {
	worst := 0
	for _, c := range st.Conditions {
		worst = max(worst, 1)
		if c.Severity == string(condition.Error) {
			worst = 2
		}
	}
	return worst
}

// statusPage is the text for people. It has a sentence only for what was examined.
type statusPage struct {
	text  strings.Builder
	width int // of the terminal; 0: lines are not wrapped
	paint cli.Paint
}

const statusIndent = "           " // before the value of a line

// line is a name and its value.
func (s *statusPage) line(label, format string, args ...any) {
	fmt.Fprintf(&s.text, "  %-8s %s\n", label, display.Hang(fmt.Sprintf(format, args...), s.width, statusIndent))
}

func (s *statusPage) add(i lookedAt) {
	st, user := i.status, userName(i.uid)
	fmt.Fprintf(&s.text, "%s\n  state    %s\n", st.Wallet.String(), s.state(st.State))
	if st.Session != nil {
		s.line("scope", "%s", st.Session.Scope)
		if !holds(st.Conditions, condition.SessionRevoked) {
			s.line("expires", "%s", stamp(st.Session.ExpiresAt))
		}
	}
	if st.Broker.URL != "" {
		base, _, _ := strings.Cut(st.Broker.URL, "#") // without the pins, which a person cannot read
		s.line("broker", "%s (from %s)", base, st.Broker.From)
	}
	if where := whereSession(st); where != "" {
		s.line("session", "%s", where)
	}
	// The package's user has no other programs than daemons, and a slot that root left in a
	// user's home is used by no daemon.
	if left := i.uid == 0 && os.Geteuid() != 0; user != "" && user != paths.PackageUser && !left {
		s.line("user", "%s: every program of %s can read this wallet", user, user)
	}
	switch {
	case st.Sync.AgeSeconds >= 0:
		s.line("synced", "%s ago", time.Duration(st.Sync.AgeSeconds)*time.Second)
	case st.Sync.Last > 0:
		s.line("synced", "%s, before the daemon was started", stamp(st.Sync.Last))
	}
	for _, c := range st.Conditions {
		s.condition(c)
	}
}

// condition is a line and its command, which is never wrapped, so that it can be copied.
func (s *statusPage) condition(c protocol.StatusCondition) {
	severity := s.paint.Warn(c.Severity)
	if c.Severity == string(condition.Error) {
		severity = s.paint.Bad(c.Severity)
	}
	fmt.Fprintf(&s.text, "  %s  %s\n", severity, display.Hang(c.Code+": "+c.Message, s.width, statusIndent))
	if c.Hint != "" {
		fmt.Fprintf(&s.text, statusIndent+"try: %s\n", c.Hint)
	}
}

func (s *statusPage) state(state words.State) string {
	switch state {
	case words.StateOnline:
		return s.paint.Good(string(state))
	case words.StateBlocked, words.StateRevoked, words.StateNoAnswer:
		return s.paint.Bad(string(state))
	}
	return s.paint.Warn(string(state))
}

func holds(all []protocol.StatusCondition, code condition.Code) bool {
	return slices.ContainsFunc(all, func(c protocol.StatusCondition) bool { return c.Code == string(code) })
}

func stamp(unix int64) string { return time.Unix(unix, 0).UTC().Format(time.RFC3339) }

// whereSession says where the session is stored and the state of the keychain; empty if neither was
// examined.
func whereSession(st protocol.Status) string {
	in := ""
	switch words.Backend(st.Storage.Backend) {
	case words.BackendFile:
		in = "in the file"
	case words.BackendKeychain:
		in = "in the keychain"
	}
	keychain := keychainWords(words.KeychainState(st.Storage.KeychainState))
	switch {
	case st.State == words.StateNotRunning && st.Storage.Backend == words.BackendKeychain:
		return "in the keychain, which was not asked"
	case st.State == words.StateNotRunning || st.State == words.StateNoAnswer:
		return in
	case in == "":
		return "not loaded; " + keychain
	}
	return in + "; " + keychain
}

// keychainWords describes a state of the keychain to people.
func keychainWords(s words.KeychainState) string {
	switch s {
	case words.KeychainUnlocked:
		return "the keychain is unlocked"
	case words.KeychainLocked:
		return "the keychain is locked"
	case words.KeychainNoCollection:
		return "the keychain has no collection yet"
	case words.KeychainNoOwner:
		return "no keychain runs"
	case words.KeychainNoBus:
		return "there is no session bus, and so no keychain"
	case words.KeychainHung:
		return "the keychain does not answer"
	case words.KeychainDenied:
		return "the keychain refuses this program"
	case words.KeychainPromptsOnWrite:
		return "the keychain asks a person at each write"
	case words.KeychainDisabled:
		return "the keychain is not used"
	}
	return "the daemon says of the keychain what this version does not know"
}

// here replaces the hint for a disk that is read-only or full by the one for the disk that holds dir,
// if the slot is in this home, and the disk is read-only for this program too.
func here(conditions []protocol.StatusCondition, dir string) []protocol.StatusCondition {
	if _, err := os.Lstat(dir); err != nil {
		return conditions
	}
	for i, c := range conditions {
		switch c.Code {
		case string(condition.StateReadOnly):
			conditions[i].Hint = cmp.Or(mounts.Mend(dir, syscall.EROFS), c.Hint)
		case string(condition.NoSpace):
			conditions[i].Hint = condition.Room(dir)
		}
	}
	return conditions
}

// typed gives the hints as they can be typed here: with the URL of the broker, if that is
// the one for a recovery.
func (p *program) typed(conditions []protocol.StatusCondition, at protocol.StatusBroker) []protocol.StatusCondition {
	url, err := brokerclient.CanonicalURL(at.URL)
	if err != nil || holds(conditions, condition.BrokerCertificateChanged) {
		url = ""
	}
	for i, c := range conditions {
		conditions[i].Hint = p.typist().Hint(condition.AtBroker(c.Hint, url))
	}
	return conditions
}

// shown is the conditions without those that only follow from others, whose lines include what they
// add.
func shown(all []protocol.StatusCondition) []protocol.StatusCondition {
	held := make([]string, len(all))
	for i, c := range all {
		held[i] = c.Code
	}
	causes := condition.Causes(held)
	out := []protocol.StatusCondition{}
	for _, c := range all {
		if causes[c.Code] == "" {
			out = append(out, withConsequences(c, all, causes))
		}
	}
	return out
}

func withConsequences(c protocol.StatusCondition, all []protocol.StatusCondition, causes map[string]string) protocol.StatusCondition {
	for _, other := range all {
		if causes[other.Code] != c.Code {
			continue
		}
		if adds := condition.Adds(other.Code, c.Code); adds != "" {
			c.Message += "; " + adds
		}
		if other.Severity == string(condition.Error) {
			c.Severity = other.Severity
		}
	}
	return c
}
