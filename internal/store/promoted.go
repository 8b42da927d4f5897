package store

import (
	"slices"

	"github.com/agentkeys/agentkeys/internal/session"
)

// maxPromoted bounds what a head remembers: more pairings of one wallet that were cut
// off in the middle of their promotion, within 24 h, are nobody's. One whose pending
// slot is gone needs no remembering: Promote saves nothing then.
const maxPromoted = 8

// took reports whether this slot has taken the session of a pending slot, whatever
// became of it since: renewed, replaced or deleted. Then it must not be put back.
func (h head) took(pending session.ID) bool { return slices.Contains(h.Promoted, pending.String()) }

// taken is Promoted for a head that follows h, and for one more pending slot unless
// that is empty. A promotion whose value may have been loaded counts as done: what
// replaces it came after it.
func (h head) taken(pending string) []string {
	all := slices.Clone(h.Promoted)
	if h.Where == BackendKeychain { // else the value of Pending is nowhere believed
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

// landed is the head once the value of Pending is the present one.
func (h head) landed() head {
	h.Generation, h.SHA256, h.Promoted = h.Pending, h.PendingSHA256, h.taken("")
	return h.withoutPending()
}

// withoutPending is the head without the save that was cut off.
func (h head) withoutPending() head {
	h.Pending, h.PendingSHA256, h.PendingPromoted = 0, "", ""
	return h
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
