package agent_test

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/agentkeys/agentkeys/internal/agent"
	"github.com/agentkeys/agentkeys/internal/health/condition"
	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/secret"
	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/store"
	"github.com/agentkeys/agentkeys/internal/words"
)

// lockedStore cannot read its keychain until it is unlocked.
type lockedStore struct {
	agent.Store
	mu    *sync.Mutex
	state *words.KeychainState
}

func (s lockedStore) Load(ctx context.Context, id session.ID) (session.Session, store.Info, error) {
	s.mu.Lock()
	state := *s.state
	s.mu.Unlock()
	if state != words.KeychainUnlocked {
		return session.Session{}, store.Info{}, &store.UnavailableError{State: state}
	}
	return s.Store.Load(ctx, id)
}

type signals struct {
	changed chan struct{}
	mu      sync.Mutex
	waiting bool
}

func (s *signals) Changed() <-chan struct{} { return s.changed }

func (s *signals) SetWaiting(w bool) {
	s.mu.Lock()
	s.waiting = w
	s.mu.Unlock()
}

func (s *signals) isWaiting() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.waiting
}

func TestALockedKeychainIsWaitedFor(t *testing.T) {
	t.Parallel()
	for name, signalled := range map[string]bool{"with a signal": true, "without a signal": false} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				state, mu := words.KeychainLocked, &sync.Mutex{}
				w.wrap = func(s agent.Store) agent.Store { return lockedStore{s, mu, &state} }
				keychain := &signals{changed: make(chan struct{}, 1)}
				w.keychain = keychain
				d := w.start()
				expect(t, "state", d.state(), "waiting_for_keychain")
				expect(t, "condition", d.conditions.Has(condition.KeychainLocked), true)
				expect(t, "value", d.value("openrouter"), protocol.CodeUnavailable)
				expect(t, "waiting", keychain.isWaiting(), true)
				time.Sleep(time.Hour)
				mu.Lock()
				state = words.KeychainUnlocked
				mu.Unlock()
				wait := 21 * time.Second
				if signalled {
					keychain.changed <- struct{}{}
					wait = 2 * time.Second
				}
				time.Sleep(wait)
				expect(t, "state", d.state(), "online")
				expect(t, "condition", d.conditions.Has(condition.KeychainLocked), false)
				expect(t, "waiting", keychain.isWaiting(), false)
			})
		})
	}
}

func TestAnInsecureSlotBlocksUntilItIsMended(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		path := filepath.Join(w.store.Dir(w.id), "session.json")
		if err := os.Chmod(path, 0o644); err != nil {
			t.Fatal(err)
		}
		d := w.start()
		expect(t, "state", d.state(), "blocked")
		expect(t, "condition", d.conditions.Has(condition.SlotInsecure), true)
		expect(t, "value", d.value("openrouter"), protocol.CodeUnavailable)
		if err := os.Chmod(path, 0o600); err != nil {
			t.Fatal(err)
		}
		d.Reload()
		time.Sleep(time.Second)
		expect(t, "state after SIGHUP", d.state(), "online")
		expect(t, "condition", d.conditions.Has(condition.SlotInsecure), false)

		if err := os.Chmod(path, 0o644); err != nil {
			t.Fatal(err)
		}
		d.Reload()
		time.Sleep(time.Second)
		expect(t, "memory goes on", d.value("openrouter"), "sk-1")
		expect(t, "but it is named", d.conditions.Has(condition.SlotInsecure), true)
		if err := os.Chmod(path, 0o600); err != nil {
			t.Fatal(err)
		}
		time.Sleep(6 * time.Minute)
		expect(t, "mended without a signal", d.conditions.Has(condition.SlotInsecure), false)
	})
}

func TestASessionWithoutDeviceKeysServesNothing(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.change(func(s *session.Session) { s.DeviceKey, s.DeviceSignKey = secret.String{}, secret.String{} })
		d := w.start()
		time.Sleep(time.Minute)
		expect(t, "value", d.value("openrouter"), protocol.CodeUnavailable)
		expect(t, "condition", d.conditions.Has(condition.DeviceKeyMissing), true)
	})
}
