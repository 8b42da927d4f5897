package agent_test

import (
	"context"
	"testing"
	"time"

	"github.com/agentkeys/agentkeys/internal/agent"
	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/store"
)

// slowDisk takes ten seconds for a save.
type slowDisk struct {
	agent.Store
	begun chan struct{}
}

func (s slowDisk) SaveOver(ctx context.Context, id session.ID, generation uint64, v session.Session) (store.Info, error) {
	s.begun <- struct{}{}
	time.Sleep(10 * time.Second)
	return s.Store.SaveOver(ctx, id, generation, v)
}

// What callers ask is answered from memory, which is not locked while the disk is waited for.
func TestASaveThatHangsHoldsUpNoCaller(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		begun := make(chan struct{}, 1)
		w.wrap = func(s agent.Store) agent.Store { return slowDisk{s, begun} }
		d := w.start()
		<-begun
		time.Sleep(time.Minute)
		w.owner.scope("openrouter", "anthropic") // it is saved
		w.owner.publish(w.broker)
		<-begun
		start := time.Now()
		before := d.Status().Session.Generation
		expect(t, "value", d.value("openrouter"), "sk-1")
		if _, err := d.Credentials(); err != nil {
			t.Fatal(err)
		}
		if _, err := d.Session(); err != nil {
			t.Fatal(err)
		}
		d.Ready()
		d.Accessed(agent.Access{Service: "openrouter", Interface: "socket", Caller: "uid=1", Result: "ok"})
		expect(t, "waited", time.Since(start), 0)
		time.Sleep(time.Minute)
		expect(t, "generation after the save", d.Status().Session.Generation, before+1)
	})
}
