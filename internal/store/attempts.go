package store

import (
	"time"

	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/words"
)

const (
	healthySpan  = 60 * time.Second // for how long probes must have been healthy
	healthyCount = 3                // and how many of them
	retryAfter   = 10 * time.Minute // after a write that failed
)

// attempts is what Reconcile remembers of a slot in this process: when it may work again.
type attempts struct {
	started   bool      // the attempt that the start of the process allows was made
	healthy   int       // writable probes in a row
	since     time.Time // the first of them
	notBefore time.Time // nothing is attempted before this time
	search    time.Time // no search for late puts before this time
}

// attemptsOf is called with s.mu held.
func (s *Store) attemptsOf(id session.ID) *attempts {
	a, ok := s.attempts[id]
	if !ok {
		a = &attempts{}
		s.attempts[id] = a
	}
	return a
}

// mayAttempt is false for 10 min after a failure.
func (s *Store) mayAttempt(id session.ID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.cfg.Now().Before(s.attemptsOf(id).notBefore)
}

// maySearch allows a search for late puts once in 10 min.
func (s *Store) maySearch(id session.ID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, now := s.attemptsOf(id), s.cfg.Now()
	if now.Before(a.search) {
		return false
	}
	a.search = now.Add(retryAfter)
	return true
}

// postpone is called after a failure.
func (s *Store) postpone(id session.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.attemptsOf(id)
	a.notBefore, a.healthy = s.cfg.Now().Add(retryAfter), 0
}

// noteProbe counts a probe, and reports whether a session may be moved to the keychain now:
// the first probe after the start of the process decides alone, later it takes three over
// 60 s.
func (s *Store) noteProbe(id session.ID, state words.KeychainState) (mayMove bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, now := s.attemptsOf(id), s.cfg.Now()
	first := !a.started
	a.started = true
	if !state.Writable() {
		a.healthy = 0
		return false
	}
	if a.healthy == 0 {
		a.since = now
	}
	a.healthy++
	return first || a.healthy >= healthyCount && now.Sub(a.since) >= healthySpan
}
