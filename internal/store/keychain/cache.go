package keychain

import (
	"context"
	"errors"
	"time"

	"github.com/agentkeys/agentkeys/internal/store"
	"github.com/agentkeys/agentkeys/internal/words"
)

// cachedProbe is one probe and for how long it is fresh. The zero value is never fresh.
type cachedProbe struct {
	probe    store.Probe
	bus      string
	started  time.Time
	ended    time.Time
	interval time.Duration // to the next probe, before jitter
	valid    time.Duration // for how long after ended it is fresh; 0 = it is stale
}

func (s cachedProbe) until(waiting bool) time.Time {
	valid := s.valid
	if waiting && !s.probe.State.Readable() && s.probe.State != words.KeychainDisabled {
		valid = min(valid, waitingInterval)
	}
	return s.ended.Add(valid)
}

// Probe returns the last probe while it is fresh (2 min when the keychain can be read, else
// 5 s growing to 5 min), and else probes. When ctx ends first the answer is StateHung, and is
// not kept.
func (k *Keychain) Probe(ctx context.Context) store.Probe {
	if s, fresh := k.cached(); fresh {
		return s.probe
	}
	return k.refresh(ctx, func() bool {
		_, fresh := k.cached()
		return fresh
	})
}

// ProbeNow probes. Callers that wait at the same time share one probe that began after they
// called.
func (k *Keychain) ProbeNow(ctx context.Context) store.Probe {
	asked := time.Now()
	return k.refresh(ctx, func() bool {
		s, _ := k.cached()
		return !s.started.IsZero() && !s.started.Before(asked)
	})
}

// Last returns the last probe, however old it is, and does not probe; false before the first
// one. For status and metrics.
func (k *Keychain) Last() (store.Probe, bool) {
	s, _ := k.cached()
	return s.probe, !s.started.IsZero()
}

func (k *Keychain) cached() (s cachedProbe, fresh bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.last, time.Now().Before(k.last.until(k.waiting))
}

// expire makes the last probe stale and asks Run for a new one.
func (k *Keychain) expire() {
	k.mu.Lock()
	k.last.valid = 0
	k.mu.Unlock()
	notify(k.wakeups)
}

// refresh probes, unless enough says that the last probe will do. enough is asked when no
// other probe is running any more, because that one may be the answer.
func (k *Keychain) refresh(caller context.Context, enough func() bool) store.Probe {
	ctx, cancel := context.WithTimeout(caller, k.cfg.Timeout)
	defer cancel()
	if !acquire(ctx, k.probing) {
		return store.Probe{State: words.KeychainHung, Reason: "another probe of the keychain is still running"}
	}
	defer func() { <-k.probing }()
	if enough() {
		s, _ := k.cached()
		return s.probe
	}
	s := cachedProbe{started: time.Now()}
	s.probe, s.bus = k.platform.probe(ctx)
	s.ended = time.Now()
	took := s.ended.Sub(s.started)
	s.probe.Seconds = took.Seconds()
	if s.probe.State != words.KeychainHung || !cutShort(caller, took, k.cfg.Timeout) {
		k.record(s)
	}
	return s.probe
}

// cutShort reports whether a probe ended because the caller gave up, by a cancellation or a
// deadline shorter than the probe's own. That says nothing about the keychain.
func cutShort(caller context.Context, took, timeout time.Duration) bool {
	err := caller.Err()
	return errors.Is(err, context.Canceled) || err != nil && took < timeout*9/10
}

func (k *Keychain) record(s cachedProbe) {
	k.mu.Lock()
	before := k.last
	changed := before.differs(s)
	s.interval = nextInterval(s.probe.State, before.interval, changed)
	s.valid = spread(s.interval, k.random())
	k.last = s
	k.mu.Unlock()

	k.cfg.Observe(s.probe)
	if s.bus != "" && s.probe.State != words.KeychainNoBus {
		notify(k.busSeen)
	}
	if changed {
		k.cfg.Logger.Info("keychain state changed",
			"state", string(s.probe.State), "provider", s.probe.Provider, "reason", s.probe.Reason)
		notify(k.changed)
	}
}

func (s cachedProbe) differs(o cachedProbe) bool {
	return s.started.IsZero() || s.probe.State != o.probe.State || s.probe.Provider != o.probe.Provider ||
		s.probe.BusID != o.probe.BusID || s.probe.Owner != o.probe.Owner
}
