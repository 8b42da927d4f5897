package agent_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/agentkeys/agentkeys/internal/agent"
	"github.com/agentkeys/agentkeys/internal/health/condition"
	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/store"
	"github.com/agentkeys/agentkeys/internal/wallet"
	"github.com/agentkeys/agentkeys/internal/words"
)

const elsewhere = "https://elsewhere:8420"

// copied is a broker that was restored from a copy of the world's, in a new epoch.
func (w *world) copied() *fakeBroker {
	b := w.broker
	return &fakeBroker{
		changed: make(chan struct{}), wallet: b.wallet, signKey: b.signKey, current: b.current, next: b.next,
		retired: maps.Clone(b.retired), renewedAt: b.renewedAt, manifest: b.manifest, revision: b.revision,
		records: maps.Clone(b.records), calls: map[string]int{},
	}
}

// stranger has never heard of the world's agent.
func stranger() *fakeBroker {
	return &fakeBroker{
		changed: make(chan struct{}), wallet: wallet.New(), retired: map[string]bool{}, calls: map[string]int{},
		manifest: protocol.SignedManifest{Signature: make([]byte, 64)},
	}
}

func (b *fakeBroker) asked() (n int) {
	b.get(func(b *fakeBroker) {
		for _, calls := range b.calls {
			n += calls
		}
	})
	return n
}

// reload is SIGHUP, and long enough for what comes of it.
func (d *daemon) reload() {
	d.Reload()
	time.Sleep(time.Second)
}

func TestTheBrokerOfTheSettingsWins(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		remembered := w.load().Broker
		moved := w.copied()
		w.others, w.named = map[string]*fakeBroker{elsewhere: moved}, elsewhere
		d := w.start()
		time.Sleep(time.Second)
		expect(t, "state", d.state(), "online")
		expect(t, "value", d.value("openrouter"), "sk-1")
		expect(t, "asked of the remembered one", w.broker.asked(), 0)
		expect(t, "status", d.Status().Broker, protocol.StatusBroker{URL: elsewhere, From: "/etc/agentkeys/daemon.toml"})
		w.named = ""
		d.reload()
		expect(t, "status without the setting", d.Status().Broker, protocol.StatusBroker{URL: remembered, From: "session"})
		expect(t, "state without the setting", d.state(), "online")
		if w.broker.asked() == 0 {
			t.Error("nobody asked the remembered broker")
		}
		expect(t, "the slot remembers", w.load().Broker, remembered)
	})
}

func TestAReloadTakesTheDaemonToAnotherBroker(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		d := w.start()
		time.Sleep(time.Hour)
		w.broker.set(func(b *fakeBroker) { b.fault = func(string) error { return protocol.ErrUnreachable } })
		time.Sleep(time.Minute)
		expect(t, "without a broker", d.state(), "offline")
		moved := w.copied()
		w.others, w.named = map[string]*fakeBroker{elsewhere: moved}, elsewhere
		d.reload()
		expect(t, "state", d.state(), "online")
		expect(t, "condition", d.conditions.Has(condition.BrokerAway), false)
		w.owner.store("openrouter", "sk-2")
		w.owner.publish(moved)
		time.Sleep(time.Second)
		expect(t, "what is new there", d.value("openrouter"), "sk-2")
		time.Sleep(25 * time.Hour)
		moved.get(func(b *fakeBroker) { expect(t, "renewed there", b.calls["renew"] > 0, true) })
		expect(t, "state a day later", d.state(), "online")
	})
}

// The settings of a daemon whose slot cannot be read are followed with the session in memory.
func TestAReloadMovesTheSessionOfASlotThatCannotBeRead(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		locked := false
		w.wrap = func(s agent.Store) agent.Store {
			return lockable{Store: s, locked: &locked}
		}
		d := w.start()
		time.Sleep(time.Second)
		locked = true
		w.others, w.named = map[string]*fakeBroker{elsewhere: w.copied()}, elsewhere
		before := w.broker.asked()
		d.reload()
		expect(t, "state", d.state(), "online")
		expect(t, "broker", d.Status().Broker.URL, elsewhere)
		expect(t, "value", d.value("openrouter"), "sk-1")
		expect(t, "asked of the remembered one", w.broker.asked(), before)
	})
}

type lockable struct {
	agent.Store
	locked *bool
}

func (l lockable) Load(ctx context.Context, id session.ID) (session.Session, store.Info, error) {
	if *l.locked {
		return session.Session{}, store.Info{}, &store.UnavailableError{State: words.KeychainLocked}
	}
	return l.Store.Load(ctx, id)
}

func TestABrokerThatDoesNotKnowTheSessionChangesNothing(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]error{
		"an honest one":            nil,
		"one that never answers":   protocol.ErrUnreachable,
		"another certificate":      protocol.ErrCertificate,
		"a web server":             fmt.Errorf("%w: %w", protocol.ErrUnreachable, protocol.ErrForeign),
		"restored":                 refusal(503, protocol.CodeRestored),
		"one that calls it lapsed": refusal(401, protocol.CodeSessionExpired),
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				before, other := w.load(), stranger()
				if answer != nil {
					other.override = func(string) error { return answer }
				}
				d := w.start()
				time.Sleep(time.Second)
				generation := w.generation()
				w.others, w.named = map[string]*fakeBroker{elsewhere: other}, elsewhere
				d.reload()
				time.Sleep(3 * time.Hour)
				expect(t, "state", d.state(), "offline")
				expect(t, "still served", d.value("openrouter"), "sk-1")
				if told := fmt.Sprint(d.Status().Conditions); !strings.Contains(told, elsewhere+", named by /etc/agentkeys/daemon.toml: ") {
					t.Errorf("it is not said where the wrong broker is named: %s", told)
				}
				if stranger := name == "an honest one" || name == "another certificate" || name == "a web server"; stranger != hints(d, w.wallet) {
					t.Errorf("the hint to the settings: %v", d.Status().Conditions)
				}
				after := w.load()
				if !after.Token.Equal(before.Token) || !after.DeviceKey.Equal(before.DeviceKey) || after.Ended != nil || after.Broker != before.Broker {
					t.Fatal("the session is another one")
				}
				if name != "one that calls it lapsed" { // it says that it knows the session
					expect(t, "saves of the slot", w.generation()-generation, 0)
				}
				w.named = ""
				d.reload()
				time.Sleep(22 * time.Hour) // a renewal later
				expect(t, "back at its own", d.state(), "online")
				w.broker.get(func(b *fakeBroker) { expect(t, "the session there", b.state, "") })
			})
		})
	}
}

// hints reports whether a condition names the command that shows which setting names the broker.
func hints(d *daemon, w wallet.Wallet) bool {
	return slices.ContainsFunc(d.Status().Conditions, func(c protocol.StatusCondition) bool {
		return c.Hint == strings.ReplaceAll(condition.HintSettings, "<wallet>", w.String())
	})
}

func TestTheEndThatAStrangerToldEndsWithTheSetting(t *testing.T) {
	t.Parallel()
	for _, restarted := range []bool{false, true} {
		t.Run(map[bool]string{false: "at a reload", true: "at a restart"}[restarted], func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				other := stranger()
				other.override = func(string) error { return refusal(401, protocol.CodeSessionRevoked) }
				w.others, w.named = map[string]*fakeBroker{elsewhere: other}, elsewhere
				d := w.start()
				time.Sleep(time.Second)
				expect(t, "state", d.state(), "revoked")
				expect(t, "value", d.value("openrouter"), protocol.CodeDenied)
				expect(t, "stopped", d.stop(), nil)
				d = w.start()
				time.Sleep(time.Hour)
				expect(t, "as long as the setting stands", d.state(), "revoked")
				w.named = ""
				if restarted {
					expect(t, "stopped", d.stop(), nil)
					d = w.start()
					time.Sleep(time.Second)
				} else {
					d.reload()
				}
				expect(t, "at its own broker", d.state(), "online")
				expect(t, "value there", d.value("openrouter"), "sk-1")
				expect(t, "condition", d.conditions.Has(condition.SessionRevoked), false)
			})
		})
	}
}

// The end that the remembered broker told is the owner's word: no setting takes it back.
func TestNoSettingTakesARevocationBack(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		old := w.copied()
		d := w.start()
		w.broker.set(func(b *fakeBroker) { b.state = "ended" })
		time.Sleep(time.Second)
		expect(t, "state", d.state(), "revoked")
		w.others, w.named = map[string]*fakeBroker{elsewhere: old}, elsewhere
		d.reload()
		time.Sleep(2 * time.Hour)
		expect(t, "at a copy that does not know it", d.state(), "revoked")
		expect(t, "value", d.value("openrouter"), protocol.CodeDenied)
	})
}

func TestAChangedSlotIsTakenUpWhole(t *testing.T) {
	t.Parallel()
	for name, away := range map[string]error{"the old broker is away": protocol.ErrUnreachable, "the old broker knows nothing of it": nil} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				d := w.start()
				time.Sleep(time.Hour)
				moved := w.copied()
				if away != nil {
					w.broker.set(func(b *fakeBroker) { b.fault = func(string) error { return away } })
					time.Sleep(time.Minute)
				}
				fresh := session.NewToken()
				moved.current = session.TokenHash(fresh)
				w.others = map[string]*fakeBroker{elsewhere: moved}
				w.change(func(s *session.Session) { s.Token, s.Broker = fresh, elsewhere })
				time.Sleep(2 * time.Minute)
				expect(t, "state", d.state(), "online")
				expect(t, "broker", d.Status().Broker, protocol.StatusBroker{URL: elsewhere, From: "session"})
				before := w.broker.asked()
				time.Sleep(time.Hour)
				expect(t, "asked of the old one", w.broker.asked(), before)
			})
		})
	}
}
