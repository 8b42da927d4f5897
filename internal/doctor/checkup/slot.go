package checkup

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/agentkeys/agentkeys/internal/doctor"
	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/store"
	"github.com/agentkeys/agentkeys/internal/words"
)

// slot fills in the content of the slot and what its session tells about itself.
func (m *machine) slot(ctx context.Context, f *doctor.Facts, p *opened, id session.ID) {
	found, err := p.store.Inspect(id, p.probe)
	if err != nil {
		f.Slot = &doctor.Slot{Path: p.store.Dir(id), UID: m.euid, Unread: err.Error()}
		return
	}
	f.Slot = slotFacts(found, m.euid)
	if found.Saved {
		f.Slot.Volatile, f.Slot.NoSync = lasting(found.Dir)
	}
	if !found.Saved || found.Tombstone || found.Err != nil {
		return
	}
	f.Clock.Floor = later(f.Clock.Floor, cachedFloor(p.store, id))
	if _, agent := id.Wallet(); !agent {
		f.Journal = m.journal(p.store, id)
	}
	inFile := found.Backend == words.BackendFile
	if inFile || p.probe.State == words.KeychainUnlocked && found.UID == m.euid {
		f.Session = m.session(ctx, p, id)
	}
}

func slotFacts(found store.Facts, euid int) *doctor.Slot {
	s := &doctor.Slot{
		Path: found.Dir, Saved: found.Saved, Removed: found.Tombstone, UID: found.UID,
		Generation: found.Generation, Where: found.Backend, SavedAt: found.SavedAt,
	}
	if s.UID < 0 {
		s.UID = euid
	}
	for _, i := range found.Insecure {
		s.Insecure = append(s.Insecure, doctor.Insecure{Path: i.Path, What: i.What, Fix: i.Fix})
	}
	if d := found.Doubt; d != nil {
		s.Doubt = &doctor.Doubt{Operation: d.Operation, Generation: d.Generation, Since: d.Since, Over: d.Over}
	}
	switch err := found.Err; {
	case errors.Is(err, store.ErrNewer):
		s.Newer = true
	case errors.Is(err, store.ErrCorrupt):
		s.Corrupt = err.Error()
	case err != nil && !errors.Is(err, store.ErrInsecure):
		s.Unread = err.Error()
	}
	return s
}

// session reads the session as a daemon would, and keeps what may be shown. A keychain that asks a
// person at each read is not read.
func (m *machine) session(ctx context.Context, p *opened, id session.ID) *doctor.Session {
	v, _, err := p.store.Peek(ctx, id)
	if err != nil {
		return &doctor.Session{Inconsistent: errors.Is(err, store.ErrInconsistent), Unread: err.Error()}
	}
	p.session = &v
	_, agent := id.Wallet()
	s := &doctor.Session{Servable: v.CanServe() || !agent, ExpiresAt: time.Unix(v.ExpiresAt(), 0)}
	if v, _ := v.At(p.named.URL); v.Ended != nil {
		s.Ended = v.Ended.Code
	}
	return s
}

// cachedFloor is the date of the broker's last verified certificate; zero: none.
func cachedFloor(s *store.Store, id session.ID) time.Time {
	data, err := s.ReadFile(id, words.FileCache)
	var cache struct {
		Floor int64 `json:"floor"` // Unix seconds
	}
	if err != nil || json.Unmarshal(data, &cache) != nil || cache.Floor <= 0 {
		return time.Time{}
	}
	return time.Unix(cache.Floor, 0)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
