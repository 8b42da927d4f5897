package agent_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/agentkeys/agentkeys/internal/agent"
	"github.com/agentkeys/agentkeys/internal/health/condition"
	"github.com/agentkeys/agentkeys/internal/protocol"
)

func TestTheWallClockMayOnlyAddToTheLease(t *testing.T) {
	t.Parallel()
	start := time.Now() // with a monotonic reading
	contact := start.Unix() - 100
	for name, c := range map[string]struct {
		now    time.Time
		synced bool
		want   time.Duration
	}{
		"an hour later":              {start.Add(time.Hour), false, 70*time.Minute + 50*time.Second},
		"synchronised, at the start": {start, true, 10*time.Minute + 50*time.Second},
		"synchronised, a day later":  {start.Add(24 * time.Hour), true, 24*time.Hour + 10*time.Minute + 50*time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := agent.LeaseUsed(start, c.now, contact, 50, c.synced)
			if got != c.want {
				t.Fatalf("got %s, want %s", got, c.want)
			}
		})
	}
	off := agent.LeaseUsed(start, start, start.AddDate(0, -3, 0).Unix(), 50, true)
	if off < 80*24*time.Hour || off > 93*24*time.Hour {
		t.Fatalf("three months by a synchronised clock count %s", off)
	}
	if got := agent.LeaseUsed(start, start, start.AddDate(0, -3, 0).Unix(), 50, false); got != 10*time.Minute+50*time.Second {
		t.Fatalf("a clock that is not synchronised counted: %s", got)
	}
	if got := agent.LeaseUsed(start, start, start.AddDate(30, 0, 0).Unix(), 50, true); got != 10*time.Minute+50*time.Second {
		t.Fatalf("a contact in the future prolonged the lease: %s", got)
	}
}

// A board that was off for long, was online since, and loses its power with its broker
// away: only what it was really without the broker counts.
func TestTimeOnlineIsNoTimeAway(t *testing.T) {
	for name, online := range map[string]time.Duration{"an hour": time.Hour, "almost three": 2*time.Hour + 50*time.Minute, "ten": 10 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				w.synced = true
				w.owner.manifest.OfflineTTL = 3600
				w.owner.publish(w.broker)
				d := w.start()
				time.Sleep(time.Minute)
				_ = d.stop()
				time.Sleep(30 * time.Hour)
				d = w.start()
				time.Sleep(online)
				cut := must(w.store.ReadFile(w.id, "cache.json"))(t)
				_ = d.stop()
				if err := w.store.WriteFile(w.id, "cache.json", cut); err != nil {
					t.Fatal(err)
				}
				w.broker.set(func(b *fakeBroker) { b.fault = func(string) error { return protocol.ErrUnreachable } })
				d = w.start()
				time.Sleep(time.Minute)
				expect(t, "within the lease", d.value("openrouter"), "sk-1")
				_ = d.stop()
				time.Sleep(5 * time.Hour) // off, and the clock is right
				expect(t, "after the lease", w.start().value("openrouter"), protocol.CodeUnavailable)
			})
		})
	}
}

// A clock that was wrong when the broker was heard adds nothing once it is right.
func TestAContactByAWrongClockIsNone(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		d := w.start() // the clock is not synchronised
		time.Sleep(time.Minute)
		_ = d.stop()
		w.synced = true
		time.Sleep(90 * 24 * time.Hour) // it was set, and seems to be three months later
		w.broker.set(func(b *fakeBroker) { b.fault = func(string) error { return protocol.ErrUnreachable } })
		expect(t, "within the lease", w.start().value("openrouter"), "sk-1")
	})
}

func TestNoCacheAndNoClockShortensTheLease(t *testing.T) {
	t.Parallel()
	start := time.Now()
	rapid.Check(t, func(t *rapid.T) {
		used := rapid.Int64().Draw(t, "used")
		contact := rapid.Int64().Draw(t, "contact")
		ran := time.Duration(rapid.Int64Range(0, 1<<50).Draw(t, "ran"))
		synced := rapid.Bool().Draw(t, "synced")
		got := agent.LeaseUsed(start, start.Add(ran), contact, used, synced)
		if got < 10*time.Minute+ran {
			t.Fatalf("lease %s is shorter than the start's cost and %s", got, ran)
		}
	})
}

func FuzzParseCache(f *testing.F) {
	f.Add([]byte(`{"version":1,"etag":"","manifest":"","signature":"","records":[],"floor":0,"last_contact":0,"lease_used_seconds":0,"boot_id":""}`))
	f.Add([]byte(`{"version":2}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := agent.ParseCache(data); err != nil && !errors.Is(err, agent.ErrCache) {
			t.Fatalf("%v is not ErrCache", err)
		}
	})
}

// A parked session is served for as long as the broker answers that it is parked. Without the
// broker it is served no longer than any other, also over a restart.
func TestAParkedDaemonWithoutItsBrokerStopsServing(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.owner.manifest.OfflineTTL = 3600
		w.owner.publish(w.broker)
		d := w.start()
		time.Sleep(time.Minute)
		w.broker.set(func(b *fakeBroker) { b.state = "parked" })
		time.Sleep(5 * time.Hour)
		expect(t, "state with the broker", d.state(), "parked")
		expect(t, "with the broker", d.value("openrouter"), "sk-1")
		w.offline()
		time.Sleep(30 * time.Minute)
		expect(t, "state without it", d.state(), "offline")
		expect(t, "still told", d.conditions.Has(condition.CloneSuspected), true)
		expect(t, "within the lease", d.value("openrouter"), "sk-1")
		time.Sleep(time.Hour)
		expect(t, "after the lease", d.value("openrouter"), protocol.CodeUnavailable)
		_ = d.stop()
		d = w.start()
		time.Sleep(time.Minute)
		expect(t, "after a restart", d.value("openrouter"), protocol.CodeUnavailable)
		w.broker.set(func(b *fakeBroker) { b.fault = nil })
		time.Sleep(time.Hour)
		expect(t, "the broker is back", d.value("openrouter"), "sk-1")
		expect(t, "state", d.state(), "parked")
	})
}

// leases remembers the last lease that it was told of.
type leases struct {
	observer
	used, allowed time.Duration
}

func (l *leases) Lease(used, allowed time.Duration) { l.used, l.allowed = used, allowed }

func TestTheLeaseIsReportedWhileItIsUsed(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.owner.manifest.OfflineTTL = 3600
		w.owner.publish(w.broker)
		told := &leases{}
		w.startWith(func(c *agent.Config) { c.Observer = told })
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		expect(t, "allowed", told.allowed, time.Hour)
		expect(t, "used while the broker answers", told.used, 0)
		w.broker.set(func(b *fakeBroker) { b.fault = func(string) error { return protocol.ErrUnreachable } })
		time.Sleep(40 * time.Minute)
		synctest.Wait()
		if told.used < 38*time.Minute || told.used > 41*time.Minute {
			t.Errorf("used after 40 minutes: %v", told.used)
		}
		w.broker.set(func(b *fakeBroker) { b.fault = nil })
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		expect(t, "used when the broker is back", told.used, 0)
	})
}
