package store

import (
	"slices"

	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/words"
)

// maxPromoted bounds how many pending slots a head remembers. Only a promotion that was cut
// off before it removed its pending slot has to be remembered, and such a slot expires after
// 24 h: more than eight of one wallet within that time are not expected.
const maxPromoted = 8

// hasTaken reports whether this slot has taken the session of a pending slot, whatever
// became of it since: renewed, replaced or deleted. Then it must not be saved again.
func (h head) hasTaken(pending session.ID) bool {
	return slices.Contains(h.Promoted, pending.String())
}

// promotedWith is Promoted for a head that follows h, with one more pending slot unless
// that is empty. A promotion whose value may have been loaded counts as done: what
// replaces it came after it.
func (h head) promotedWith(pending string) []string {
	all := slices.Clone(h.Promoted)
	if h.Where == words.BackendKeychain { // otherwise no Load returns the value of Pending
		all = appendNew(all, h.PendingPromoted)
	}
	all = appendNew(all, pending)
	return all[max(0, len(all)-maxPromoted):]
}

func appendNew(all []string, id string) []string {
	if id == "" || slices.Contains(all, id) {
		return all
	}
	return append(all, id)
}

func (h head) promotedRules() bool {
	if h.PendingPromoted != "" && (h.Pending == 0 || !isPending(h.PendingPromoted)) {
		return false
	}
	return len(h.Promoted) <= maxPromoted && !slices.ContainsFunc(h.Promoted, func(id string) bool { return !isPending(id) })
}

func isPending(text string) bool {
	id, err := session.ParseID(text)
	return err == nil && id.IsPending()
}
