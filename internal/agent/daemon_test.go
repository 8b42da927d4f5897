package agent_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/agentkeys/agentkeys/internal/health/condition"
	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/store"
)

// bubble runs a test with a clock of its own.
func bubble(t *testing.T, f func(t *testing.T, w *world)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { f(t, newWorld(t)) })
}

func TestServesWhatTheOwnerSigned(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		d := w.start()
		expect(t, "state", d.state(), "online")
		expect(t, "in scope", d.value("openrouter"), "sk-1")
		expect(t, "out of scope", d.value("brave-search"), protocol.CodeDenied)
		w.owner.scope("openrouter", "anthropic")
		w.owner.publish(w.broker)
		time.Sleep(time.Second)
		expect(t, "in scope, not there", d.value("anthropic"), protocol.CodeNotFound)
		w.owner.store("openrouter", "sk-2")
		w.owner.publish(w.broker)
		time.Sleep(time.Second)
		expect(t, "new value", d.value("openrouter"), "sk-2")
		expect(t, "scope in the slot", w.load().Scope.String(), "anthropic, openrouter")
	})
}

func TestANarrowerScopeHoldsAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		d := w.start()
		w.owner.scope("anthropic")
		w.owner.publish(w.broker)
		time.Sleep(time.Second)
		expect(t, "after the change", d.value("openrouter"), protocol.CodeDenied)
		if ok, _ := d.Ready(); !ok {
			t.Fatal("not ready")
		}
	})
}

func TestRevocationDropsEverythingAndHoldsOverRestarts(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		d := w.start()
		w.broker.set(func(b *fakeBroker) { b.state = "ended" })
		time.Sleep(time.Second)
		expect(t, "state", d.state(), "revoked")
		expect(t, "value", d.value("openrouter"), protocol.CodeDenied)
		if w.load().Ended == nil {
			t.Fatal("the slot does not say that the session ended")
		}
		cache := must(w.store.ReadFile(w.id, "cache.json"))(t)
		if len(cache) == 0 || contains(cache, `"records":[{`) {
			t.Fatalf("cached records are left: %.200s", cache)
		}
		if err := d.stop(); err != nil {
			t.Fatal(err)
		}
		w.broker.set(func(b *fakeBroker) { b.state = "" })
		again := w.start()
		time.Sleep(3 * time.Hour)
		expect(t, "after a restart", again.state(), "revoked")
		expect(t, "value", again.value("openrouter"), protocol.CodeDenied)
	})
}

func contains(data []byte, text string) bool {
	for i := range data {
		if len(data)-i >= len(text) && string(data[i:i+len(text)]) == text {
			return true
		}
	}
	return false
}

func TestARecoveredSlotIsTakenUpWithoutARestart(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		d := w.start()
		w.broker.set(func(b *fakeBroker) { b.state = "ended" })
		time.Sleep(time.Second)
		fresh := session.NewToken()
		// As recover does: the broker knows the token before the slot holds it. The other
		// way round the daemon, which looks in this very second, is taken for a clone.
		w.broker.set(func(b *fakeBroker) { b.state, b.current = "", session.TokenHash(fresh) })
		w.change(func(s *session.Session) { s.Token, s.Ended = fresh, nil })
		time.Sleep(15 * time.Second)
		expect(t, "state", d.state(), "online")
		expect(t, "value", d.value("openrouter"), "sk-1")
	})
}

func TestNoAnswerOfABrokerRemovesASlot(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]error{
		"token_unknown":   refusal(401, protocol.CodeTokenUnknown),
		"token_retired":   refusal(401, protocol.CodeTokenRetired),
		"session_expired": refusal(401, protocol.CodeSessionExpired),
		"denied":          refusal(403, protocol.CodeDenied),
		"not_found":       refusal(404, protocol.CodeNotFound),
		"restored":        refusal(503, protocol.CodeRestored),
		"garbage":         protocol.ErrUnreachable,
		"clone_suspected": refusal(409, protocol.CodeCloneSuspected),
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				before := w.load()
				d := w.start()
				w.broker.set(func(b *fakeBroker) { b.override = func(string) error { return answer } })
				time.Sleep(3 * time.Hour)
				expect(t, "still served", d.value("openrouter"), "sk-1")
				after := w.load()
				if !after.Token.Equal(before.Token) || after.Ended != nil || !after.DeviceKey.Equal(before.DeviceKey) {
					t.Fatal("the answer changed the session")
				}
				w.broker.set(func(b *fakeBroker) { b.override = nil })
				time.Sleep(10 * time.Minute)
				expect(t, "afterwards", d.state(), "online")
			})
		})
	}
}

func TestOfflineLease(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		d := w.start()
		w.broker.set(func(b *fakeBroker) { b.fault = func(string) error { return protocol.ErrUnreachable } })
		time.Sleep(23 * time.Hour)
		expect(t, "state", d.state(), "offline")
		expect(t, "within the lease", d.value("openrouter"), "sk-1")
		if err := d.stop(); err != nil {
			t.Fatal(err)
		}
		again := w.start()
		expect(t, "after a cold start", again.value("openrouter"), "sk-1")
		time.Sleep(2 * time.Hour)
		expect(t, "after the lease", again.value("openrouter"), protocol.CodeUnavailable)
		expect(t, "condition", again.conditions.Has(condition.OfflineTooLong), true)
		w.broker.set(func(b *fakeBroker) { b.fault = nil })
		time.Sleep(10 * time.Minute)
		expect(t, "when the broker is back", again.value("openrouter"), "sk-1")
		expect(t, "condition", again.conditions.Has(condition.OfflineTooLong), false)
	})
}

func TestAStartCostsTenMinutesOfTheLease(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.owner.manifest.OfflineTTL = 3600
		w.owner.publish(w.broker)
		d := w.start()
		w.broker.set(func(b *fakeBroker) { b.fault = func(string) error { return protocol.ErrUnreachable } })
		for range 5 {
			time.Sleep(time.Second)
			if err := d.stop(); err != nil {
				t.Fatal(err)
			}
			d = w.start()
			time.Sleep(time.Second)
			expect(t, "within the lease", d.value("openrouter"), "sk-1")
		}
		time.Sleep(time.Second)
		written := must(w.store.ReadFile(w.id, "cache.json"))(t)
		if err := d.stop(); err != nil {
			t.Fatal(err)
		}
		if err := w.store.WriteFile(w.id, "cache.json", written); err != nil { // as if it had been killed
			t.Fatal(err)
		}
		d = w.start()
		expect(t, "after six starts", d.value("openrouter"), protocol.CodeUnavailable)
	})
}

func TestABrokerThatHangsDoesNotKeepTheDaemonFromBeingReady(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		if err := w.start().stop(); err != nil {
			t.Fatal(err)
		}
		w.broker.set(func(b *fakeBroker) {
			b.fault = func(string) error {
				time.Sleep(20 * time.Second)
				return protocol.ErrUnreachable
			}
		})
		d := w.start()
		expect(t, "at once", d.value("openrouter"), "sk-1")
		time.Sleep(3 * time.Second)
		expect(t, "state", d.state(), "offline")
		if ok, reasons := d.Ready(); !ok {
			t.Fatalf("not ready: %v", reasons)
		}
	})
}

func TestOnlyNoSessionAndASecondDaemonEndTheProcess(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		d := w.start()
		second := must(newDaemon(w), nil)(t)
		if err := second.Start(context.Background()); !errors.Is(err, store.ErrBusy) {
			t.Fatalf("second daemon: got %v, want ErrBusy", err)
		}
		if err := w.store.Delete(context.Background(), w.id); err != nil {
			t.Fatal(err)
		}
		if err := d.stop(); err != nil {
			t.Fatal(err)
		}
		third := must(newDaemon(w), nil)(t)
		defer third.Close()
		if err := third.Start(context.Background()); !errors.Is(err, store.ErrNoSession) {
			t.Fatalf("no session: got %v, want ErrNoSession", err)
		}
	})
}
