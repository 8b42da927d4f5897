package agent

import (
	"maps"
	"slices"
	"time"

	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/seal"
	"github.com/agentkeys/agentkeys/internal/secret"
	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/store"
	"github.com/agentkeys/agentkeys/internal/words"
)

// held is one credential in memory: the record as it came and its plaintext.
type held struct {
	entry  seal.Entry
	record protocol.SealedRecord
	value  secret.String
}

// view is everything that local callers can see, and all that the loops share. The
// Daemon's mutex guards it; nothing in it is changed in place but by its methods.
type view struct {
	phase    words.State // while loaded is false
	reason   string      // why nothing is served, for people
	loaded   bool
	again    bool // a later load failed; memory goes on being served
	session  session.Session
	broker   protocol.StatusBroker // whom the session is kept at
	head     uint64                // generation of the slot's head when it was loaded or saved
	bearer   secret.String         // the token in use: session.Token, or Next where the card could not be written
	info     store.Info
	manifest *signed
	etag     string
	records  map[string]held
	lease    lease
	tried    bool // the broker was asked in this run
	online   bool
	parked   bool
	over     bool      // the lease, when it was last looked at
	fetched  bool      // every listed record was asked for once in this run
	endedAt  time.Time // when the broker said so in this run
}

func (v *view) state() words.State {
	switch {
	case !v.loaded:
		return v.phase
	case v.session.Ended != nil:
		return words.StateRevoked
	case v.parked:
		return words.StateParked
	case v.online:
		return words.StateOnline
	case v.tried:
		return words.StateOffline
	}
	return words.StateStarting
}

// adopt makes m the manifest and drops at once every record that it does not list
// in scope. One that has a newer revision is served until that came or was withheld.
func (v *view) adopt(m *signed) {
	kept := map[string]held{}
	for _, e := range m.Served() {
		if h, ok := v.records[e.Service]; ok {
			kept[e.Service] = h
		}
	}
	v.manifest, v.records = m, kept
}

// missing lists what the manifest promises and memory does not hold.
func (v *view) missing() []seal.Entry {
	if v.manifest == nil {
		return nil
	}
	return slices.DeleteFunc(v.manifest.Served(), func(e seal.Entry) bool {
		return v.records[e.Service].entry == e
	})
}

// with is the records with one more or another one; the old map stays as it is.
func (v *view) with(service string, h held) map[string]held {
	next := maps.Clone(v.records)
	next[service] = h
	return next
}

// without is the records but one.
func (v *view) without(service string) map[string]held {
	next := maps.Clone(v.records)
	delete(next, service)
	return next
}

// expired reports whether the owner's word about serving without the broker is over.
// A session is parked only while the broker answers.
func (v *view) expired(now time.Time, synchronised func() bool) bool {
	if v.online || v.parked || v.manifest == nil {
		return false
	}
	limit := time.Duration(v.manifest.OfflineTTL) * time.Second
	return v.lease.used(now, synchronised()) > limit
}
