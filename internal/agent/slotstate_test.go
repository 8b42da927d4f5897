package agent_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/agentkeys/agentkeys/internal/agent"
	"github.com/agentkeys/agentkeys/internal/condition"
	"github.com/agentkeys/agentkeys/internal/pairing"
	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/store"
	"github.com/agentkeys/agentkeys/internal/wallet"
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

// A recovery ends the old session when it is approved: what would fail after that
// is found before a code is shown.
func TestARecoveryIsNotBegunOverASlotThatCannotBeReplaced(t *testing.T) {
	onBoard(t, func(t *testing.T, b *board) {
		w := wallet.New()
		s := session.Session{Token: session.NewToken(), Wallet: w, CreatedAt: 1, TTLSeconds: 1}
		must(b.store.Save(t.Context(), session.DaemonID(w), s))(t)
		if err := os.Chmod(filepath.Join(b.store.Dir(session.DaemonID(w)), "session.json"), 0o644); err != nil {
			t.Fatal(err)
		}
		b.broker.names["bot"] = w
		_, err := b.pair(t.Context(), agent.PairRequest{Kind: pairing.KindRecover, Identity: "bot"})
		if !errors.Is(err, store.ErrInsecure) || len(b.codes) != 0 {
			t.Fatalf("%v, %d codes shown", err, len(b.codes))
		}
	})
}

// inKeychain says that the session lies in the keychain.
type inKeychain struct{ agent.Store }

func (k inKeychain) Load(ctx context.Context, id session.ID) (session.Session, store.Info, error) {
	s, info, err := k.Store.Load(ctx, id)
	info.Backend = store.BackendKeychain
	return s, info, err
}

func (k inKeychain) SaveOver(ctx context.Context, id session.ID, generation uint64, v session.Session) (store.Info, error) {
	info, err := k.Store.SaveOver(ctx, id, generation, v)
	info.Backend = store.BackendKeychain
	return info, err
}

func TestAKeychainThatGoesAwayUnderARunningDaemonIsNamed(t *testing.T) {
	for state, code := range map[store.KeychainState]condition.Code{
		store.StateLocked: condition.KeychainLocked, store.StateNoBus: condition.KeychainUnavailable, store.StateUnlocked: "",
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
