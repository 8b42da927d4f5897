package agent_test

import (
	"testing"
	"time"

	"github.com/agentkeys/agentkeys/internal/agent"
	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/session"
)

func away(b *fakeBroker) { b.fault = func(string) error { return protocol.ErrUnreachable } }
func back(b *fakeBroker) { b.fault = nil }

func TestReadsWhileOfflineSurviveARestart(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		d := w.start()
		time.Sleep(time.Minute)
		w.broker.set(away)
		time.Sleep(time.Minute)
		for range 3 {
			d.Accessed(read("ok"))
			d.Accessed(read("denied"))
			time.Sleep(time.Second)
		}
		if err := d.stop(); err != nil {
			t.Fatal(err)
		}
		d = w.start()
		d.Accessed(read("ok"))
		if err := d.stop(); err != nil { // and once more
			t.Fatal(err)
		}
		w.broker.set(back)
		d = w.start()
		time.Sleep(time.Minute)
		_, count := told(w.broker, "ok")
		expect(t, "reads", count, 4)
		_, count = told(w.broker, "denied")
		expect(t, "refusals", count, 3)
		if err := d.stop(); err != nil {
			t.Fatal(err)
		}
		w.broker.set(func(b *fakeBroker) { b.reports = nil })
		w.start()
		time.Sleep(time.Minute)
		rows, _ := told(w.broker, "ok")
		expect(t, "rows that came again", rows, 0)
	})
}

func TestAReadWhileOfflineSurvivesAPowerCut(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		d := w.start()
		time.Sleep(time.Minute)
		w.broker.set(away)
		time.Sleep(time.Minute)
		d.Accessed(read("ok")) // and its caller is answered
		kept := must(w.store.ReadFile(w.id, "events.json"))(t)
		if err := d.stop(); err != nil {
			t.Fatal(err)
		}
		if err := w.store.WriteFile(w.id, "events.json", kept); err != nil { // as it was at the cut
			t.Fatal(err)
		}
		w.broker.set(back)
		w.start()
		time.Sleep(time.Minute)
		_, count := told(w.broker, "ok")
		expect(t, "reads", count, 1)
	})
}

// hung is a card on which the file of events is never written.
type hung struct {
	agent.Store
	until chan struct{}
}

func (h hung) WriteFile(id session.ID, name string, data []byte) error {
	if name == "events.json" {
		<-h.until
	}
	return h.Store.WriteFile(id, name, data)
}

func TestACardThatHangsHoldsUpNoRead(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		h := hung{until: make(chan struct{})}
		w.wrap = func(s agent.Store) agent.Store { h.Store = s; return h }
		d := w.start()
		time.Sleep(time.Minute)
		w.broker.set(away)
		time.Sleep(time.Minute)
		for range 3 {
			start := time.Now()
			d.Accessed(read("ok"))
			if took := time.Since(start); took > 2*time.Second {
				t.Errorf("a read took %v", took)
			}
		}
		close(h.until)
	})
}

func TestEventsThatCannotBeReadStopNothing(t *testing.T) {
	for name, text := range map[string]string{
		"no JSON": "x", "another version": `{"version":2,"granted":[],"denied":[],"strangers":[]}`, "empty": "",
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				if err := w.store.WriteFile(w.id, "events.json", []byte(text)); err != nil {
					t.Fatal(err)
				}
				d := w.start()
				d.Accessed(read("ok"))
				time.Sleep(time.Minute)
				_, count := told(w.broker, "ok")
				expect(t, "reads", count, 1)
			})
		})
	}
}

// writes counts how often the file of events was written; only the reporter does that.
type writes struct {
	agent.Store
	n *int
}

func (w writes) WriteFile(id session.ID, name string, data []byte) error {
	if name == "events.json" {
		*w.n++
	}
	return w.Store.WriteFile(id, name, data)
}

func TestEventsStayWithinTheWriteBudget(t *testing.T) {
	for name, c := range map[string]struct {
		offline bool
		every   time.Duration // between two reads; 0: none
		most    int           // writes of six hours and a stop
	}{
		"idle":             {false, 0, 0},
		"read all day":     {false, 10 * time.Second, 0},
		"idle, offline":    {true, 0, 0},
		"read and offline": {true, 10 * time.Second, 6*4 + 2},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				n := 0
				w.wrap = func(s agent.Store) agent.Store { return writes{s, &n} }
				d := w.start()
				time.Sleep(time.Minute)
				if c.offline {
					w.broker.set(away)
					time.Sleep(time.Minute)
				}
				for end := time.Now().Add(6 * time.Hour); time.Now().Before(end); {
					if c.every == 0 {
						time.Sleep(time.Hour)
						continue
					}
					d.Accessed(read("ok"))
					time.Sleep(c.every)
				}
				if err := d.stop(); err != nil {
					t.Fatal(err)
				}
				if n > c.most {
					t.Errorf("%d writes", n)
				}
			})
		})
	}
}

func TestTheFileOfEventsIsBounded(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		d := w.start()
		w.broker.set(away)
		time.Sleep(time.Minute)
		long := make([]byte, 250)
		for i := range long {
			long[i] = 'u'
		}
		for i := range 1200 {
			for _, result := range []string{"ok", "denied"} {
				a := read(result)
				a.Unit = string(long) + string(rune('a'+i%26)) + string(rune('a'+i/26%26)) + string(rune('a'+i/676))
				d.Accessed(a)
			}
		}
		if err := d.stop(); err != nil {
			t.Fatal(err)
		}
		if data := must(w.store.ReadFile(w.id, "events.json"))(t); len(data) > 1<<20 {
			t.Errorf("%d bytes", len(data))
		}
	})
}
