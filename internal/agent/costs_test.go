package agent_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/agentkeys/agentkeys/internal/agent"
	"github.com/agentkeys/agentkeys/internal/health/condition"
	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/store"
)

// What a lying or broken broker may cost a board.

func TestABrokerThatTakesEveryTokenBackDoesNotWearOutTheCard(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.broker.override = func(call string) error {
			if call != "sync" {
				return nil
			}
			p := refusal(401, protocol.CodeTokenUnknown)
			p.Challenge = "c"
			return p
		}
		w.broker.epochSeen = false // so that every resume succeeds
		w.start()
		before := w.generation()
		time.Sleep(24 * time.Hour)
		if got := w.generation() - before; got > 120 {
			t.Fatalf("%d saves in a day", got)
		}
		w.broker.get(func(b *fakeBroker) {
			if b.calls["resume"] == 0 || b.calls["resume"] > 40 {
				t.Fatalf("%d resumes in a day", b.calls["resume"])
			}
		})
	})
}

func (w *world) generation() uint64 {
	w.t.Helper()
	_, info, err := w.store.Load(context.Background(), w.id)
	if err != nil {
		w.t.Fatal(err)
	}
	return info.Generation
}

func TestOneRecordThatIsNotAnsweredKeepsNoOtherFromBeingServed(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]error{
		"unavailable": refusal(503, protocol.CodeUnavailable), "no answer": protocol.ErrUnreachable,
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				w.owner.scope("openrouter", "anthropic")
				w.owner.store("anthropic", "ant")
				w.owner.publish(w.broker)
				w.broker.override = func(call string) error {
					if call == "record anthropic" {
						return answer
					}
					return nil
				}
				d := w.start()
				time.Sleep(time.Second)
				expect(t, "the other", d.value("openrouter"), "sk-1")
				expect(t, "state", d.state(), "online")
				expect(t, "condition", d.conditions.Has(condition.RecordWithheld), true)
			})
		})
	}
}

func TestAStartCostsItsPartOfTheLeaseWhileARenewalIsOpen(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		d := w.start()
		time.Sleep(time.Second)
		if err := d.stop(); err != nil {
			t.Fatal(err)
		}
		w.change(func(s *session.Session) { s.Next = session.NewToken() })
		w.broker.fault = func(string) error { return protocol.ErrUnreachable }
		w.start() // and no orderly stop: what is on the card now is what a power cut leaves
		time.Sleep(time.Second)
		var c struct {
			Used int64 `json:"lease_used_seconds"`
		}
		data := must(w.store.ReadFile(w.id, "cache.json"))(t)
		if err := json.Unmarshal(data, &c); err != nil || c.Used < 600 {
			t.Fatalf("lease %d s, %v; want the start's ten minutes", c.Used, err)
		}
	})
}

// unadopted reports that the session is in an earlier layout that cannot be adopted.
type unadopted struct{ agent.Store }

func (u unadopted) Load(ctx context.Context, id session.ID) (session.Session, store.Info, error) {
	s, info, err := u.Store.Load(ctx, id)
	info.Generation = 0
	return s, info, err
}

func (unadopted) List() ([]store.Slot, error) { return nil, nil }

func (unadopted) Inspect(session.ID, store.Probe) (store.Facts, error) { return store.Facts{}, nil }

func TestARevocationOfASessionThatCannotBeStoredIsKeptInMemory(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.wrap = func(s agent.Store) agent.Store { return unadopted{s} }
		d := w.start()
		w.broker.set(func(b *fakeBroker) { b.state = "ended" })
		time.Sleep(10 * time.Minute)
		expect(t, "state", d.state(), "revoked")
		expect(t, "value", d.value("openrouter"), protocol.CodeDenied)
		w.broker.get(func(b *fakeBroker) {
			if b.calls["sync"] > 50 {
				t.Fatalf("%d questions in ten minutes", b.calls["sync"])
			}
		})
	})
}
