package brokertest

import (
	"context"
	"sync"

	"github.com/agentkeys/agentkeys/internal/broker"
)

// fullDisk is a Store on a disk that the test fills. Then no Update succeeds, and its changes
// are rolled back, as SQLite does if there is no space for the commit.
type fullDisk struct {
	broker.Store

	mu      sync.Mutex
	full    *broker.Unwritable // nil: there is space
	reserve bool
}

// Update implements broker.Store.
func (d *fullDisk) Update(ctx context.Context, f func(broker.Tx) error) error {
	d.mu.Lock()
	full := d.full
	d.mu.Unlock()
	if full == nil {
		return d.Store.Update(ctx, f)
	}
	return d.Store.Update(ctx, func(tx broker.Tx) error {
		if err := f(tx); err != nil {
			return err
		}
		return full
	})
}

// Release implements broker.Store. The space of the reserve is never used up.
func (d *fullDisk) Release() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.reserve {
		return false
	}
	d.full, d.reserve = nil, false
	return true
}

// Fill makes every write fail for that reason until Drain; reserve says whether there is a
// reserve to be released.
func (s *Server) Fill(reason string, reserve bool) {
	s.disk.mu.Lock()
	defer s.disk.mu.Unlock()
	s.disk.full, s.disk.reserve = &broker.Unwritable{Reason: reason}, reserve
}

// Drain ends the effect of Fill.
func (s *Server) Drain() {
	s.disk.mu.Lock()
	defer s.disk.mu.Unlock()
	s.disk.full = nil
}
