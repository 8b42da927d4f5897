package enroll_test

import (
	"errors"
	"syscall"
	"testing"
	"time"

	"github.com/agentkeys/agentkeys/internal/agent/enroll"
	"github.com/agentkeys/agentkeys/internal/pairing"
	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/scope"
	"github.com/agentkeys/agentkeys/internal/seal"
	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/wallet"
)

func TestPairing(t *testing.T) {
	onBoard(t, func(t *testing.T, b *board) {
		got := must(b.pair(t.Context(), wish()))(t)
		s, _, err := b.store.Load(t.Context(), session.DaemonID(got.Wallet))
		if err != nil {
			t.Fatal(err)
		}
		expect(t, "wallet", s.Wallet, b.owner.agent)
		expect(t, "owner", s.Owner.Wallet, b.owner.wallet)
		expect(t, "scope", s.Scope.String(), "openrouter")
		expect(t, "pairing is forgotten", s.Pairing == nil, true)
		b.owner.agent = wallet.Wallet{}
		second := must(b.pair(t.Context(), wish()))(t)
		if second.Wallet == got.Wallet {
			t.Fatal("a second pairing took the first agent over")
		}
		agents, pending := b.slots()
		expect(t, "agents", agents, 2)
		expect(t, "pending slots", pending, 0)
	})
}

// A board that can show no code does not wait for an owner who cannot approve.
func TestAPairingEndsWhereTheCodeIsNotShown(t *testing.T) {
	onBoard(t, func(t *testing.T, b *board) {
		b.screen = syscall.EPIPE
		began := time.Now()
		if _, err := b.pair(t.Context(), wish()); !errors.Is(err, syscall.EPIPE) {
			t.Fatalf("%v", err)
		}
		expect(t, "waited", time.Since(began), 0)
		b.screen = nil
		must(b.pair(t.Context(), wish()))(t)
		agents, pending := b.slots()
		expect(t, "agents", agents, 1)
		expect(t, "pending slots", pending, 0) // the second went on with the first one's
	})
}

func TestHowAPairingEnds(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		prepare func(b *board)
		code    string
		agents  int
	}{
		"denied":            {func(b *board) { b.onCode = func(c pairing.Code) { b.owner.deny(c, true) } }, protocol.CodePairingDenied, 0},
		"expired":           {func(b *board) { b.onCode = func(pairing.Code) {} }, protocol.CodePairingExpired, 0},
		"expired by broker": {func(b *board) { b.onCode = func(pairing.Code) { b.broker.expired = true } }, protocol.CodePairingExpired, 0},
		"broker away":       {func(b *board) { b.broker.fault = func(string) error { return protocol.ErrUnreachable } }, protocol.CodeUnreachable, 0},
		"denied by the broker alone, approved after": {func(b *board) {
			b.onCode = func(c pairing.Code) {
				b.owner.deny(c, false)
				go func() {
					time.Sleep(time.Minute)
					b.owner.approve(c)
				}()
			}
		}, "", 1},
		"approved after the broker was away for minutes": {func(b *board) {
			b.onCode = func(c pairing.Code) {
				b.owner.approve(c)
				b.broker.fault = func(string) error { return protocol.ErrUnreachable }
				go func() {
					time.Sleep(4 * time.Minute)
					b.broker.mu.Lock()
					b.broker.fault = nil
					b.broker.mu.Unlock()
				}()
			}
		}, "", 1},
		"approved too late": {func(b *board) {
			b.onCode = func(c pairing.Code) {
				b.broker.fault = func(string) error { return protocol.ErrUnreachable }
				go func() {
					time.Sleep(11 * time.Minute)
					b.owner.approve(c)
				}()
			}
		}, protocol.CodePairingExpired, 0},
	} {
		t.Run(name, func(t *testing.T) {
			onBoard(t, func(t *testing.T, b *board) {
				c.prepare(b)
				_, err := b.pair(t.Context(), wish())
				var f *enroll.Failure
				code := ""
				if errors.As(err, &f) {
					code = f.Code
				} else if err != nil {
					t.Fatal(err)
				}
				expect(t, "code", code, c.code)
				agents, pending := b.slots()
				expect(t, "agents", agents, c.agents)
				if c.code != protocol.CodeUnreachable {
					expect(t, "pending slots", pending, 0)
				}
				time.Sleep(15 * time.Minute) // let the person finish
			})
		})
	}
}

func TestAForgedGrantIsRefused(t *testing.T) {
	t.Parallel()
	other := must(seal.Recipient(seal.NewSeed()))(t)
	for name, spoil := range map[string]func(*pairing.Grant, *seal.Manifest){
		"device key swapped": func(_ *pairing.Grant, m *seal.Manifest) { m.DeviceKey = other },
		"another wallet":     func(_ *pairing.Grant, m *seal.Manifest) { m.Wallet = wallet.New() },
		"another owner":      func(_ *pairing.Grant, m *seal.Manifest) { m.Owner = wallet.New() },
		"another owner key": func(g *pairing.Grant, _ *seal.Manifest) {
			g.OwnerSignKey = must(seal.SigningKey(seal.NewSeed()))(t)
		},
		"another request":   func(g *pairing.Grant, _ *seal.Manifest) { g.RequestSHA256 = pairing.RequestHash(nil) },
		"an older manifest": func(g *pairing.Grant, _ *seal.Manifest) { g.ManifestRevision = 9 },
	} {
		t.Run(name, func(t *testing.T) {
			onBoard(t, func(t *testing.T, b *board) {
				b.owner.spoil = spoil
				_, err := b.pair(t.Context(), wish())
				expectForged(t, b, err)
			})
		})
	}
}

func TestAScopeWidenedByTheBrokerIsRefused(t *testing.T) {
	onBoard(t, func(t *testing.T, b *board) {
		b.onCode = func(c pairing.Code) {
			b.owner.approve(c)
			for _, g := range b.broker.granted {
				m := must(seal.Parse(g.Manifest.Manifest))(t)
				m.Scope = scope.All()
				g.Manifest.Manifest = must(seal.Sign(m, seal.NewSeed()))(t).Manifest
			}
		}
		_, err := b.pair(t.Context(), wish())
		expectForged(t, b, err)
	})
}

func expectForged(t *testing.T, b *board, err error) {
	t.Helper()
	var f *enroll.Failure
	if !errors.As(err, &f) || f.Code != protocol.CodePairingForged {
		t.Fatalf("got %v, want pairing_forged", err)
	}
	agents, pending := b.slots()
	expect(t, "agents", agents, 0)
	expect(t, "pending slots", pending, 0)
}

func TestALookupThatIsTakenIsDrawnAgain(t *testing.T) {
	onBoard(t, func(t *testing.T, b *board) {
		tries := 0
		b.broker.fault = func(call string) error {
			if call == "open" && tries < 3 {
				tries++
				return refusal(409, protocol.CodeConflict)
			}
			return nil
		}
		must(b.pair(t.Context(), wish()))(t)
		expect(t, "codes shown", len(b.codes), 1)
	})
}

func TestRecovery(t *testing.T) {
	onBoard(t, func(t *testing.T, b *board) {
		got := must(b.pair(t.Context(), wish()))(t)
		before := must(b.load(got.Wallet))(t)
		b.broker.names["bot"] = got.Wallet
		again := enroll.Request{Kind: pairing.KindRecover, Identity: "bot"}

		b.onCode = func(c pairing.Code) { b.owner.deny(c, true) }
		if _, err := b.pair(t.Context(), again); err == nil {
			t.Fatal("a denied recovery succeeded")
		}
		if after := must(b.load(got.Wallet))(t); !after.Token.Equal(before.Token) {
			t.Fatal("a denied recovery changed the live slot")
		}

		b.onCode = func(c pairing.Code) { b.owner.approve(c) }
		back := must(b.pair(t.Context(), again))(t)
		expect(t, "wallet", back.Wallet, got.Wallet)
		after := must(b.load(got.Wallet))(t)
		if after.Token.Equal(before.Token) || after.DeviceKey.Equal(before.DeviceKey) {
			t.Fatal("the recovered session has old keys")
		}
		_, err := b.pair(t.Context(), enroll.Request{Kind: pairing.KindRecover, Identity: "nobody"})
		var f *enroll.Failure
		if !errors.As(err, &f) || f.Code != protocol.CodeNotFound {
			t.Fatalf("unknown identity: %v", err)
		}
		agents, pending := b.slots()
		expect(t, "agents", agents, 1)
		expect(t, "pending slots", pending, 0)
	})
}

func TestARecoveryIsNotGrantedForAnotherWallet(t *testing.T) {
	onBoard(t, func(t *testing.T, b *board) {
		b.broker.names["bot"] = wallet.New()
		b.owner.agent = wallet.New()
		_, err := b.pair(t.Context(), enroll.Request{Kind: pairing.KindRecover, Identity: "bot"})
		expectForged(t, b, err)
	})
}
