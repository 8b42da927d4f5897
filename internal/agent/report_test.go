package agent_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/agentkeys/agentkeys/internal/agent"
	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/words"
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
			if e.Result == result && !e.Lost && !seen[e.ID] {
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
		events, count := told(w.broker, "ok")
		expect(t, "events", events, 1000)
		expect(t, "reads that were told", count, 1000)
		expect(t, "reads that were lost", lost(w.broker, "ok"), 500)
	})
}

func lost(b *fakeBroker, result string) (count int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	seen := map[string]bool{}
	for _, r := range b.reports {
		for _, e := range r.Events {
			if e.Result == result && e.Lost && !seen[e.ID] {
				seen[e.ID] = true
				count += e.Count
			}
		}
	}
	return count
}

func TestRefusedRequestsHideNoRead(t *testing.T) {
	for name, c := range map[string]struct{ stranger, away bool }{
		"by a caller with a rule":             {false, false},
		"by a stranger":                       {true, false},
		"by a caller with a rule, while away": {false, true},
		"by a stranger, while away":           {true, true},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				d := w.start()
				if c.away {
					w.broker.set(func(b *fakeBroker) { b.fault = func(string) error { return protocol.ErrUnreachable } })
				}
				flood := func(from, n int) {
					for i := range n {
						a := read("denied")
						a.Service, a.Stranger = fmt.Sprintf("n%d", from+i), c.stranger
						d.Accessed(a)
					}
				}
				flood(0, 4000)
				time.Sleep(time.Second)
				d.Accessed(read("ok"))
				other := read("denied")
				other.Caller = "uid=2000"
				d.Accessed(other)
				flood(4000, 2500)
				time.Sleep(time.Hour)
				w.broker.set(func(b *fakeBroker) { b.fault = nil })
				time.Sleep(time.Hour)
				_, count := told(w.broker, "ok")
				expect(t, "reads", count, 1)
				rows, count := told(w.broker, "denied")
				expect(t, "refusals", count, 6501)
				if rows > 60 {
					t.Errorf("%d rows of one caller's refusals", rows)
				}
				expect(t, "lost", lost(w.broker, "denied")+lost(w.broker, "ok"), 0)
			})
		})
	}
}

func TestManyStrangersCostFewRows(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		d := w.start()
		for i := range 86_400 / 5 { // a day, every five seconds
			a := read("denied")
			a.Service, a.Caller, a.Stranger = fmt.Sprintf("n%d", i), fmt.Sprintf("uid=%d", i%100), true
			d.Accessed(a)
			time.Sleep(5 * time.Second)
		}
		time.Sleep(time.Hour)
		rows, count := told(w.broker, "denied")
		expect(t, "refusals", count, 86_400/5)
		if most := 24 * 60 * 2; rows > most {
			t.Errorf("%d rows, and the broker takes %d of a day", rows, most)
		}
	})
}

func TestAClassThatTheBrokerTakesNoMoreOfHoldsUpNoOther(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		d := w.start()
		w.broker.set(func(b *fakeBroker) {
			b.refuseReport = func(r protocol.Report) error {
				if len(r.Events) > 0 && r.Events[0].Result == "denied" {
					return refusal(429, protocol.CodeSlowDown)
				}
				return nil
			}
		})
		d.Accessed(read("denied"))
		d.Accessed(read("ok"))
		time.Sleep(time.Second)
		_, count := told(w.broker, "ok")
		expect(t, "reads", count, 1)
		w.broker.set(func(b *fakeBroker) { b.refuseReport = nil })
		time.Sleep(5 * time.Minute)
		_, count = told(w.broker, "denied")
		expect(t, "refusals", count, 1)
	})
}

func TestAReportComesHourlyWithoutEvents(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.start()
		time.Sleep(5*time.Hour + time.Minute)
		w.broker.get(func(b *fakeBroker) {
			expect(t, "reports", len(b.reports), 6)
			expect(t, "host", b.reports[0].Host, "pi")
			expect(t, "backend", b.reports[0].StorageBackend, words.BackendFile)
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
