package main

import (
	"cmp"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/agentkeys/agentkeys/internal/brokerclient"
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

// printStatus describes one instance, whose slot or socket belongs to uid. It has a sentence only for
// what was examined.
func (p *program) printStatus(st protocol.Status, uid int) error {
	name := userName(uid)
	st.Conditions = p.typed(shown(st.Conditions), st.Broker)
	if p.flags.JSON {
		return p.writeJSON(instanceStatus{st, name})
	}
	p.printf("%s\n  state    %s\n", st.Wallet.String(), st.State)
	if st.Session != nil {
		p.printf("  scope    %s\n", st.Session.Scope)
		if !holds(st.Conditions, condition.SessionRevoked) {
			p.printf("  expires  %s\n", stamp(st.Session.ExpiresAt))
		}
	}
	if st.Broker.URL != "" {
		base, _, _ := strings.Cut(st.Broker.URL, "#") // without the pins, which a person cannot read
		p.printf("  broker   %s (from %s)\n", base, st.Broker.From)
	}
	if where := whereSession(st); where != "" {
		p.printf("  session  %s\n", where)
	}
	// The package's user has no other programs than daemons, and a slot that root left in a
	// user's home is used by no daemon.
	if left := uid == 0 && os.Geteuid() != 0; name != "" && name != paths.PackageUser && !left {
		p.printf("  user     %s: every program of %s can read this wallet\n", name, name)
	}
	switch {
	case st.Sync.AgeSeconds >= 0:
		p.printf("  synced   %s ago\n", time.Duration(st.Sync.AgeSeconds)*time.Second)
	case st.Sync.Last > 0:
		p.printf("  synced   %s, before the daemon was started\n", stamp(st.Sync.Last))
	}
	for _, c := range st.Conditions {
		p.printf("  %s  %s: %s\n", c.Severity, c.Code, c.Message)
		if c.Hint != "" {
			p.printf("           try: %s\n", c.Hint)
		}
	}
	return nil
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
