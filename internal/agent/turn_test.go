package agent_test

import (
	"context"
	"testing"
	"time"

	"github.com/agentkeys/agentkeys/internal/agent"
	"github.com/agentkeys/agentkeys/internal/health/condition"
	"github.com/agentkeys/agentkeys/internal/session"
)

// slowStore is a slot that something else holds for a while whenever the keychain has
// its turn.
type slowStore struct {
	agent.Store
	begun chan struct{}
}

func (s slowStore) ReconcileSlot(ctx context.Context, id session.ID) error {
	select {
	case s.begun <- struct{}{}:
	default:
	}
	time.Sleep(10 * time.Second)
	return s.Store.ReconcileSlot(ctx, id)
}

// The main loop waits for the slot's lock while the link has a new scope to save.
func TestASaveWaitsForTheKeychainsTurn(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		begun := make(chan struct{}, 1)
		w.wrap = func(s agent.Store) agent.Store { return slowStore{s, begun} }
		w.keychain = &signals{changed: make(chan struct{}, 1)}
		d := w.start()
		<-begun
		w.owner.scope("openrouter", "anthropic")
		w.owner.publish(w.broker)
		time.Sleep(30 * time.Second)
		expect(t, "state", d.state(), "online")
		expect(t, "disk", d.conditions.Has(condition.StateReadOnly), false)
		expect(t, "saved scope", w.load().Scope.Allows("anthropic"), true)
	})
}
