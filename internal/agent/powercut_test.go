package agent_test

import (
	"encoding/json"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/agentkeys/agentkeys/internal/agent"
	"github.com/agentkeys/agentkeys/internal/protocol"
)

// cut ends a daemon as a power cut does: what the card has now is what stays.
func (w *world) cut(d *daemon) {
	w.t.Helper()
	left := must(w.store.ReadFile(w.id, "cache.json"))(w.t)
	_ = d.stop()
	if err := w.store.WriteFile(w.id, "cache.json", left); err != nil {
		w.t.Fatal(err)
	}
}

// lease is how long the owner lets the daemon serve without its broker.
func (w *world) lease(ttl time.Duration) {
	w.owner.manifest.OfflineTTL = int64(ttl / time.Second)
	w.owner.publish(w.broker)
}

// The worst case of the lease that SECURITY.md states: power cuts together never prolong it by
// more than a minute. Each costs, in addition to the ten minutes of each start, as long as the
// run lasted, at least two minutes and at most three hours.
func TestPowerCutsDoNotProlongTheLease(t *testing.T) {
	t.Parallel()
	const ttl = 8 * time.Hour
	for name, runs := range map[string][]time.Duration{
		"twenty seconds": {20 * time.Second}, "a minute": {time.Minute}, "two minutes and a bit": {2*time.Minute + time.Second},
		"ten minutes": {10 * time.Minute}, "an hour": {time.Hour}, "just under three hours": {3*time.Hour - time.Second},
		"seven hours": {7 * time.Hour}, "never": {10 * time.Hour}, "all kinds": {20 * time.Second, 4 * time.Hour, 11 * time.Minute, 50 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				w.lease(ttl)
				d := w.start()
				time.Sleep(time.Minute)
				w.offline()
				served, cost := time.Duration(0), time.Duration(0)
				for i := 0; ; i++ {
					run := runs[i%len(runs)]
					before := served
					for end := time.Now().Add(run); time.Now().Before(end) && d.value("openrouter") == "sk-1"; {
						step := min(20*time.Second, time.Until(end))
						time.Sleep(step)
						served += step
					}
					if served-before < run {
						break // it stopped serving by itself, or did not begin to
					}
					w.cut(d)
					cost += 10*time.Minute + min(max(run, 2*time.Minute), 3*time.Hour) + time.Minute
					d = w.start()
					synctest.Wait()
				}
				if served > ttl+time.Minute {
					t.Errorf("served for %s of running time, of %s", served, ttl)
				}
				if served+cost < ttl {
					t.Errorf("served for %s of running time: the cuts cost more than the %s that they may", served, cost)
				}
			})
		})
	}
}

// A day, with its broker or without, is within the write budget of a card: 30 syncs, of
// which each write of the cache costs two.
func TestADayOfCountingIsWithinTheWriteBudget(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		away bool
		most int32
	}{"with its broker": {false, 10}, "without it, the first day": {true, 15}} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				var writes atomic.Int32
				w.wrap = func(s agent.Store) agent.Store {
					return faultyStore{s, func(call string) error {
						if call == "save" {
							writes.Add(1)
						}
						return nil
					}}
				}
				w.owner.manifest.OfflineTTL = 7 * 86400
				w.owner.publish(w.broker)
				w.start()
				time.Sleep(time.Minute)
				if writes.Store(0); c.away {
					w.offline()
				}
				time.Sleep(24 * time.Hour)
				if got := writes.Load(); got > c.most {
					t.Errorf("%d writes in a day, want at most %d", got, c.most)
				}
			})
		})
	}
}

// A broker that is back makes the card say so soon: a cut after it must not end the lease.
func TestTimeAwayIsForgottenOnTheCardOnceTheBrokerIsBack(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.lease(8 * time.Hour)
		d := w.start()
		time.Sleep(time.Minute)
		w.offline()
		time.Sleep(6 * time.Hour)
		w.broker.set(func(b *fakeBroker) { b.fault = nil })
		time.Sleep(10 * time.Minute)
		expect(t, "state", d.state(), "online")
		var c struct {
			Used int64 `json:"lease_used_seconds"`
		}
		if err := json.Unmarshal(must(w.store.ReadFile(w.id, "cache.json"))(t), &c); err != nil || c.Used != 0 {
			t.Fatalf("the card says %d s without the broker, %v", c.Used, err)
		}
		w.cut(d)
		w.offline()
		d = w.start()
		time.Sleep(7 * time.Hour)
		expect(t, "within the lease", d.value("openrouter"), "sk-1")
		time.Sleep(time.Hour)
		expect(t, "after it", d.value("openrouter"), protocol.CodeUnavailable)
	})
}
