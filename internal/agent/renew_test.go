package agent_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/agentkeys/agentkeys/internal/agent"
	"github.com/agentkeys/agentkeys/internal/health/condition"
	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/store"
)

// faultyStore fails saves as fault says, before or after they took effect.
type faultyStore struct {
	agent.Store
	fault func(call string) error
}

func (f faultyStore) SaveOver(ctx context.Context, id session.ID, generation uint64, v session.Session) (store.Info, error) {
	if err := f.fault("save"); err != nil {
		return store.Info{}, err
	}
	info, err := f.Store.SaveOver(ctx, id, generation, v)
	if err != nil {
		return info, err
	}
	return info, f.fault("save answer")
}

func (f faultyStore) WriteFile(id session.ID, name string, data []byte) error {
	if err := f.fault("save"); err != nil {
		return err
	}
	return f.Store.WriteFile(id, name, data)
}

func TestDailyRenewal(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		d := w.start()
		first := w.load()
		time.Sleep(21 * time.Hour)
		if !w.load().Token.Equal(first.Token) {
			t.Fatal("renewed before 21.6 hours")
		}
		time.Sleep(6 * time.Hour)
		after := w.load()
		if after.Token.Equal(first.Token) || !after.Next.IsZero() || after.CreatedAt <= first.CreatedAt {
			t.Fatalf("not renewed after 27 hours: created_at %d", after.CreatedAt)
		}
		w.broker.get(func(b *fakeBroker) {
			expect(t, "the broker's current token", b.current, session.TokenHash(after.Token))
		})
		time.Sleep(4 * 24 * time.Hour)
		w.broker.get(func(b *fakeBroker) { expect(t, "renewals", b.calls["renew"] >= 4 && b.calls["renew"] <= 6, true) })
		expect(t, "state", d.state(), "online")
	})
}

// The process ends at every call of a renewal, once before the call took effect and once after.
// The next process continues with the same session.
func TestACrashAtAnyStepOfARenewalLosesNothing(t *testing.T) {
	t.Parallel()
	for step := 1; ; step++ {
		reached := false
		t.Run(fmt.Sprint("step ", step), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { reached = crashAt(t, step) })
		})
		if !reached {
			if step < 8 {
				t.Fatalf("a renewal had only %d steps", step-1)
			}
			return
		}
	}
}

func crashAt(t *testing.T, step int) (reached bool) {
	w := newWorld(t)
	w.change(func(s *session.Session) { s.CreatedAt -= int64(25 * time.Hour / time.Second) }) // due now
	calls, dead := 0, false
	fault := func(call string) error {
		if call == "sync" || strings.HasPrefix(call, "record ") || call == "report" {
			if dead {
				return protocol.ErrUnreachable
			}
			return nil
		}
		calls++
		dead = dead || calls == step
		if dead {
			return fmt.Errorf("%w: killed at %s", protocol.ErrUnreachable, call)
		}
		return nil
	}
	w.broker.fault = fault
	w.wrap = func(s agent.Store) agent.Store { return faultyStore{s, fault} }
	d := w.start()
	time.Sleep(time.Second)
	if err := d.stop(); err != nil {
		t.Fatal(err)
	}
	reached = dead
	w.broker.set(func(b *fakeBroker) { b.fault = nil })
	w.wrap = nil
	again := w.start()
	time.Sleep(time.Minute)
	expect(t, "state", again.state(), "online")
	expect(t, "value", again.value("openrouter"), "sk-1")
	kept := w.load()
	w.broker.get(func(b *fakeBroker) {
		expect(t, "the broker's state", b.state, "")
		expect(t, "the token in the slot", session.TokenHash(kept.Token), b.current)
		expect(t, "resumes", b.calls["resume"], 0)
	})
	return reached
}

func TestACardThatCannotBeWrittenStopsNothing(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		var broken atomic.Bool
		broken.Store(true)
		w.wrap = func(s agent.Store) agent.Store {
			return faultyStore{s, func(call string) error {
				w.broker.mu.Lock()
				used := w.broker.calls["session"]
				w.broker.mu.Unlock()
				if broken.Load() && call == "save" && used > 0 { // the card dies between the two saves
					return syscall.EROFS
				}
				return nil
			}}
		}
		w.change(func(s *session.Session) { s.CreatedAt -= int64(25 * time.Hour / time.Second) })
		d := w.start()
		time.Sleep(time.Minute)
		expect(t, "state", d.state(), "online")
		expect(t, "condition", d.conditions.Has(condition.StateReadOnly), true)
		w.owner.store("openrouter", "sk-2")
		w.owner.publish(w.broker)
		time.Sleep(time.Second)
		expect(t, "news", d.value("openrouter"), "sk-2")
		broken.Store(false)
		time.Sleep(3 * time.Hour)
		expect(t, "condition", d.conditions.Has(condition.StateReadOnly), false)
		kept := w.load()
		w.broker.get(func(b *fakeBroker) { expect(t, "token", session.TokenHash(kept.Token), b.current) })
	})
}

// A person who mended the disk is not told for hours that it is read only.
func TestADiskThatWasMendedIsNoticedWithinMinutes(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]error{"state_read_only": syscall.EROFS, "no_space": syscall.ENOSPC} {
		t.Run(name, func(t *testing.T) {
			mended(t, condition.Code(name), fault)
		})
	}
}

func mended(t *testing.T, code condition.Code, fault error) {
	t.Helper()
	bubble(t, func(t *testing.T, w *world) {
		var broken atomic.Bool
		broken.Store(true)
		w.wrap = func(s agent.Store) agent.Store {
			return faultyStore{s, func(string) error {
				if broken.Load() {
					return fault
				}
				return nil
			}}
		}
		d := w.start()
		time.Sleep(10 * time.Minute)
		expect(t, string(code), d.conditions.Has(code), true)
		broken.Store(false)
		time.Sleep(2 * time.Minute)
		expect(t, string(code), d.conditions.Has(code), false)
	})
}

func TestWaysBackForATokenThatIsNotAccepted(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		broker func(b *fakeBroker)
		want   string
		code   condition.Code
	}{
		"the broker came from a backup": {func(b *fakeBroker) { b.current, b.epochSeen = "older", false }, "online", ""},
		"a copy of the slot was used":   {func(b *fakeBroker) { b.retired[b.current], b.current = true, "newer" }, "parked", condition.CloneSuspected},
		"parked by the broker":          {func(b *fakeBroker) { b.state = "parked" }, "parked", condition.CloneSuspected},
		"thirty days without renewal":   {func(b *fakeBroker) { b.state = "lapsed" }, "offline", condition.SessionExpired},
		"revoked":                       {func(b *fakeBroker) { b.state = "ended" }, "revoked", condition.SessionRevoked},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				d := w.start()
				w.broker.set(c.broker)
				time.Sleep(time.Minute)
				expect(t, "state", d.state(), c.want)
				if c.code != "" {
					expect(t, "condition", d.conditions.Has(c.code), true)
				}
				if c.want != "revoked" {
					expect(t, "old things go on", d.value("openrouter"), "sk-1")
				}
			})
		})
	}
}

// However long the owner takes, the board writes nothing and is back soon after.
func TestABrokerThatWasPutBackAndWaitsForItsOwner(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		d := w.start()
		before := w.generation()
		w.broker.set(func(b *fakeBroker) {
			b.current, b.epochSeen = "older", false
			b.override = func(call string) error {
				if call == "resume" {
					return refusal(503, protocol.CodeRestored)
				}
				return nil
			}
		})
		time.Sleep(5 * time.Hour)
		expect(t, "state", d.state(), "offline")
		expect(t, "the cache goes on", d.value("openrouter"), "sk-1")
		expect(t, "saves", w.generation()-before, 0)
		w.broker.set(func(b *fakeBroker) { b.override = nil })
		time.Sleep(6 * time.Minute)
		expect(t, "state", d.state(), "online")
	})
}

func TestALapsedSessionGoesOnWhenTheOwnerReopensIt(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		d := w.start()
		w.broker.set(func(b *fakeBroker) { b.state = "lapsed" })
		time.Sleep(time.Minute)
		asked := w.load().Next
		w.broker.set(func(b *fakeBroker) { b.state, b.next = "", session.TokenHash(asked) })
		time.Sleep(10 * time.Minute)
		expect(t, "state", d.state(), "online")
		if !w.load().Token.Equal(asked) {
			t.Fatal("the token that was asked for is not the session's")
		}
	})
}

func TestARenewalNeverWritesOverARecoveredSlot(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		d := w.start()
		fresh := session.NewToken()
		w.change(func(s *session.Session) { s.Token = fresh })
		w.broker.set(func(b *fakeBroker) { b.current = session.TokenHash(fresh) })
		time.Sleep(time.Minute)
		if !w.load().Token.Equal(fresh) {
			t.Fatal("the daemon wrote its own token over the recovered session")
		}
		expect(t, "state", d.state(), "online")
	})
}
