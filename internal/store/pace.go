package store

import (
	"time"

	"github.com/agentkeys/agentkeys/internal/session"
)

const (
	healthySpan  = 60 * time.Second // how long probes must have been healthy
	healthyCount = 3                // and how many of them
	retryAfter   = 10 * time.Minute // after a write that failed
)

// pace is what Reconcile remembers of a slot in this process.
type pace struct {
	started bool      // the one attempt that start-up has is used
	healthy int       // writable probes in a row
	since   time.Time // the first of them
	notYet  time.Time // nothing is tried before this time
	look    time.Time // no search for late writes before this time
}

// paceOf is called with s.mu held.
func (s *Store) paceOf(id session.ID) *pace {
	p, ok := s.pace[id]
	if !ok {
		p = &pace{}
		s.pace[id] = p
	}
	return p
}

// mayWork is false for 10 min after a failure.
func (s *Store) mayWork(id session.ID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.cfg.Now().Before(s.paceOf(id).notYet)
}

// mayLook lets a search for late writes happen once in 10 min.
func (s *Store) mayLook(id session.ID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, now := s.paceOf(id), s.cfg.Now()
	if now.Before(p.look) {
		return false
	}
	p.look = now.Add(retryAfter)
	return true
}

func (s *Store) putOff(id session.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.paceOf(id)
	p.notYet, p.healthy = s.cfg.Now().Add(retryAfter), 0
}

// noteProbe counts a probe and reports whether a session may move now: the first
// probe after start decides alone, later it takes three over 60 s.
func (s *Store) noteProbe(id session.ID, state KeychainState) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, now := s.paceOf(id), s.cfg.Now()
	first := !p.started
	p.started = true
	if !state.Writable() {
		p.healthy = 0
		return false
	}
	if p.healthy == 0 {
		p.since = now
	}
	p.healthy++
	return first || p.healthy >= healthyCount && now.Sub(p.since) >= healthySpan
}
