package agent_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/agentkeys/agentkeys/internal/agent"
	"github.com/agentkeys/agentkeys/internal/protocol"
)

func read(result string) agent.Access {
	return agent.Access{Service: "openrouter", Interface: "agent.sock", Caller: "uid=1000", Result: result}
}

// told sums the counts that the broker got for one result; an id counts once.
func told(b *fakeBroker, result string) (events, count int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	seen := map[string]bool{}
	for _, r := range b.reports {
		for _, e := range r.Events {
			if e.Result == result && !seen[e.ID] {
				seen[e.ID] = true
				events, count = events+1, count+e.Count
			}
		}
	}
	return events, count
}

func TestEventsReachTheAuditWithinASecondAndOncePerMinute(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		d := w.start()
		d.Accessed(read("ok"))
		d.Accessed(read("denied"))
		time.Sleep(time.Second)
		events, count := told(w.broker, "ok")
		expect(t, "granted events", events, 1)
		expect(t, "granted count", count, 1)
		events, _ = told(w.broker, "denied")
		expect(t, "denied events", events, 1)
		for range 100 {
			d.Accessed(read("ok"))
			time.Sleep(100 * time.Millisecond)
		}
		time.Sleep(2 * time.Minute)
		events, count = told(w.broker, "ok")
		expect(t, "events of two minutes", events, 2)
		expect(t, "reads", count, 101)
	})
}

func TestEventsWaitForTheBrokerAndTheOldestGo(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		d := w.start()
		w.broker.set(func(b *fakeBroker) { b.fault = func(string) error { return protocol.ErrUnreachable } })
		time.Sleep(time.Minute)
		for i := range 1500 {
			a := read("ok")
			a.Unit = string(rune('a'+i%26)) + string(rune('a'+i/26%26)) + string(rune('a'+i/676))
			d.Accessed(a)
		}
		time.Sleep(time.Hour)
		w.broker.set(func(b *fakeBroker) { b.fault = nil })
		time.Sleep(10 * time.Minute)
		events, _ := told(w.broker, "ok")
		expect(t, "events", events, 1000)
	})
}

func TestAReportComesHourlyWithoutEvents(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.start()
		time.Sleep(5*time.Hour + time.Minute)
		w.broker.get(func(b *fakeBroker) {
			expect(t, "reports", len(b.reports), 6)
			expect(t, "host", b.reports[0].Host, "pi")
			expect(t, "backend", b.reports[0].StorageBackend, "file")
			expect(t, "state", b.reports[0].State, "online")
		})
	})
}

func TestEventsOfTheLastSecondAreReportedAtAStop(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		d := w.start()
		time.Sleep(time.Minute)
		d.Accessed(read("denied"))
		synctest.Wait()
		if err := d.stop(); err != nil {
			t.Fatal(err)
		}
		events, _ := told(w.broker, "denied")
		expect(t, "events", events, 1)
	})
}
