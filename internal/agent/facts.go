package agent

import (
	"maps"
	"slices"
	"time"

	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/scope"
	"github.com/agentkeys/agentkeys/internal/seal"
	"github.com/agentkeys/agentkeys/internal/secret"
	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/store"
	"github.com/agentkeys/agentkeys/internal/wallet"
	"github.com/agentkeys/agentkeys/internal/words"
)

// held is one credential in memory: the record as it came and its plaintext.
type held struct {
	entry  seal.Entry
	record protocol.SealedRecord
	value  secret.String
}

// sessionFacts are what callers may know of the session. Its token and its keys are not
// among them.
type sessionFacts struct {
	wallet     wallet.Wallet
	scope      scope.Scope
	createdAt  int64 // Unix seconds
	expiresAt  int64 // Unix seconds
	ended      bool  // the owner ended it
	canServe   bool  // it has device keys
	generation uint64
	backend    words.Backend
}

func factsOf(s session.Session, info store.Info) sessionFacts {
	return sessionFacts{
		wallet: s.Wallet, scope: s.Scope, createdAt: s.CreatedAt, expiresAt: s.ExpiresAt(),
		ended: s.Ended != nil, canServe: s.CanServe(), generation: info.Generation, backend: info.Backend,
	}
}

// facts are all that callers are answered from, at one moment. A copy of them can be kept
// and read without a lock: what its pointers and maps lead to is replaced and never changed.
type facts struct {
	phase    words.State // while loaded is false
	reason   string      // why nothing is served, for people
	loaded   bool
	session  sessionFacts          // while loaded is true
	broker   protocol.StatusBroker // the broker that serves the session
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

func (f facts) state() words.State {
	switch {
	case !f.loaded:
		return f.phase
	case f.session.ended:
		return words.StateRevoked
	case f.parked:
		return words.StateParked
	case f.online:
		return words.StateOnline
	case f.tried:
		return words.StateOffline
	}
	return words.StateStarting
}

// forget drops what is known of another session than the one that is loaded now.
func (f *facts) forget(now time.Time) {
	f.manifest, f.etag, f.records = nil, "", map[string]held{}
	f.online, f.tried, f.lease = false, false, newLease(now, 0, 0)
}

// end drops every value at once: the owner ended the session.
func (f *facts) end(now time.Time) {
	f.session.ended, f.records, f.online, f.parked, f.endedAt = true, map[string]held{}, false, false, now
}

func (f facts) endedWithin(d time.Duration) bool {
	return !f.endedAt.IsZero() && time.Since(f.endedAt) < d
}

// adopt makes m the manifest and drops at once every record that it does not list
// in scope. One that has a newer revision is served until that came or was withheld.
func (f *facts) adopt(m *signed) {
	kept := map[string]held{}
	for _, e := range m.Served() {
		if h, ok := f.records[e.Service]; ok {
			kept[e.Service] = h
		}
	}
	f.manifest, f.records = m, kept
}

// revision is the manifest's; 0 while there is none.
func (f facts) revision() uint64 {
	if f.manifest == nil {
		return 0
	}
	return f.manifest.Revision
}

// missing lists what the manifest promises and memory does not hold.
func (f facts) missing() []seal.Entry {
	if f.manifest == nil {
		return nil
	}
	return slices.DeleteFunc(f.manifest.Served(), func(e seal.Entry) bool {
		return f.records[e.Service].entry == e
	})
}

// put makes h the record of a service, in a new map: copies of the facts hold the old one.
func (f *facts) put(service string, h held) {
	f.records = maps.Clone(f.records)
	f.records[service] = h
}

// drop forgets the record of a service.
func (f *facts) drop(service string) {
	f.records = maps.Clone(f.records)
	delete(f.records, service)
}

// away is how long the daemon has been without its broker, 0 while the broker answers, and how
// long the owner lets it serve so, 0 before the first manifest. A session is parked only while
// the broker answers.
func (f facts) away(now time.Time, synchronised func() bool) (used, allowed time.Duration) {
	if f.manifest != nil {
		allowed = time.Duration(f.manifest.OfflineTTL) * time.Second
	}
	if !f.online && !f.parked {
		used = f.lease.used(now, synchronised())
	}
	return used, allowed
}

// expired reports whether the owner's word about serving without the broker is over.
func (f facts) expired(now time.Time, synchronised func() bool) bool {
	used, allowed := f.away(now, synchronised)
	return f.manifest != nil && used > allowed
}
