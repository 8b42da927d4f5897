package keychain

import (
	"context"
	"errors"
	"time"

	"github.com/agentkeys/agentkeys/internal/store"
)

// sighting is one probe with its age. The zero value is stale at any time.
type sighting struct {
	probe   store.Probe
	bus     string
	started time.Time
	ended   time.Time
	step    time.Duration // before jitter
	valid   time.Duration // after ended; 0 = look again
}

func (s sighting) until(waiting bool) time.Time {
	valid := s.valid
	if waiting && !s.probe.State.Readable() && s.probe.State != store.StateDisabled {
		valid = min(valid, waitingInterval)
	}
	return s.ended.Add(valid)
}

// Probe returns the last look while it is fresh (2 min when the keychain can be
// read, else 5 s growing to 5 min), or looks. When ctx ends first the answer is
// StateHung, and is not kept.
func (k *Keychain) Probe(ctx context.Context) store.Probe {
	if s, fresh := k.cached(); fresh {
		return s.probe
	}
	return k.refresh(ctx, func() bool {
		_, fresh := k.cached()
		return fresh
	})
}

// ProbeNow looks afresh; a look that began after the call serves several callers.
func (k *Keychain) ProbeNow(ctx context.Context) store.Probe {
	asked := time.Now()
	return k.refresh(ctx, func() bool {
		s, _ := k.cached()
		return !s.started.IsZero() && !s.started.Before(asked)
	})
}

// Last returns the last look, however old, and looks at nothing; false before the
// first one. For status and metrics.
func (k *Keychain) Last() (store.Probe, bool) {
	s, _ := k.cached()
	return s.probe, !s.started.IsZero()
}

func (k *Keychain) cached() (s sighting, fresh bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.last, time.Now().Before(k.last.until(k.waiting))
}

// distrust makes the last look stale and asks Run for a new one.
func (k *Keychain) distrust() {
	k.mu.Lock()
	k.last.valid = 0
	k.mu.Unlock()
	notify(k.pokes)
}

// refresh looks unless enough, asked once no other look is under way, says that
// the one just made will do.
func (k *Keychain) refresh(caller context.Context, enough func() bool) store.Probe {
	ctx, cancel := context.WithTimeout(caller, k.cfg.Timeout)
	defer cancel()
	if !acquire(ctx, k.probing) {
		return store.Probe{State: store.StateHung, Reason: "another look at the keychain is still under way"}
	}
	defer func() { <-k.probing }()
	if enough() {
		s, _ := k.cached()
		return s.probe
	}
	s := sighting{started: time.Now()}
	s.probe, s.bus = k.platform.look(ctx)
	s.ended = time.Now()
	took := s.ended.Sub(s.started)
	s.probe.Seconds = took.Seconds()
	if s.probe.State != store.StateHung || !cutShort(caller, took, k.cfg.Timeout) {
		k.record(s)
	}
	return s.probe
}

// cutShort: the caller's patience ended, which says nothing about the keychain.
func cutShort(caller context.Context, took, timeout time.Duration) bool {
	err := caller.Err()
	return errors.Is(err, context.Canceled) || err != nil && took < timeout*9/10
}

func (k *Keychain) record(s sighting) {
	k.mu.Lock()
	before := k.last
	changed := before.differs(s)
	s.step = nextStep(s.probe.State, before.step, changed)
	s.valid = spread(s.step, k.random())
	k.last = s
	k.mu.Unlock()

	k.cfg.Observe(s.probe)
	if s.bus != "" && s.probe.State != store.StateNoBus {
		notify(k.busSeen)
	}
	if changed {
		k.cfg.Logger.Info("keychain state changed",
			"state", string(s.probe.State), "provider", s.probe.Provider, "reason", s.probe.Reason)
		notify(k.changed)
	}
}

func (s sighting) differs(o sighting) bool {
	return s.started.IsZero() || s.probe.State != o.probe.State || s.probe.Provider != o.probe.Provider ||
		s.probe.BusID != o.probe.BusID || s.probe.Owner != o.probe.Owner
}
