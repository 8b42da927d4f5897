package agent_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/agentkeys/agentkeys/internal/agent"
	"github.com/agentkeys/agentkeys/internal/health/condition"
	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/store"
	"github.com/agentkeys/agentkeys/internal/words"
)

func TestAnInsecureSlotNamesTheCommandThatMendsIt(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		head := filepath.Join(w.store.Dir(w.id), "session.json")
		if err := os.Chmod(head, 0o644); err != nil {
			t.Fatal(err)
		}
		d := w.start()
		expect(t, "state", d.state(), "blocked")
		for _, c := range d.conditions.Active() {
			if c.Code == condition.SlotInsecure && strings.HasPrefix(c.Hint, "chmod 600 ") {
				return
			}
		}
		t.Fatalf("%+v", d.conditions.Active())
	})
}

// inKeychain reports that the session is in the keychain.
type inKeychain struct{ agent.Store }

func (k inKeychain) Load(ctx context.Context, id session.ID) (session.Session, store.Info, error) {
	s, info, err := k.Store.Load(ctx, id)
	info.Backend = words.BackendKeychain
	return s, info, err
}

func (k inKeychain) SaveOver(ctx context.Context, id session.ID, generation uint64, v session.Session) (store.Info, error) {
	info, err := k.Store.SaveOver(ctx, id, generation, v)
	info.Backend = words.BackendKeychain
	return info, err
}

func TestAKeychainThatGoesAwayUnderARunningDaemonIsNamed(t *testing.T) {
	for state, code := range map[words.KeychainState]condition.Code{
		words.KeychainLocked: condition.KeychainLocked, words.KeychainNoBus: condition.KeychainUnavailable, words.KeychainUnlocked: "",
	} {
		t.Run(string(state), func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				w.wrap = func(s agent.Store) agent.Store { return inKeychain{s} }
				w.keychainState = string(state)
				d := w.start()
				for _, c := range []condition.Code{condition.KeychainLocked, condition.KeychainUnavailable} {
					expect(t, string(c), d.conditions.Has(c), c == code)
				}
				expect(t, "value", d.value("openrouter"), "sk-1")
			})
		})
	}
}
