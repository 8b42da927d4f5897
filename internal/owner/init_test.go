package owner_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/agentkeys/agentkeys/internal/owner"
	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/secret"
	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/wallet"
)

func TestInitTwiceSaysWhoYouAreAndChangesNothing(t *testing.T) {
	t.Parallel()
	h := newMachineAndBroker(t)
	first := h.init()
	if !first.New || first.RecoveryKey.IsZero() {
		t.Fatal("no account was made")
	}
	before, _, err := h.slots.Load(context.Background(), h.cfg.ID)
	if err != nil {
		t.Fatal(err)
	}
	again := must(owner.Start(context.Background(), h.cfg, owner.Init{SetupToken: session.NewToken()}, silent))(t)
	if again.New || again.Restored || again.Wallet != first.Wallet {
		t.Fatalf("%+v", again)
	}
	h.srv.Stop()
	defer h.srv.Restart()
	away := must(owner.Start(context.Background(), h.cfg, owner.Init{}, silent))(t)
	after, _, err := h.slots.Load(context.Background(), h.cfg.ID)
	if err != nil || away.Wallet != first.Wallet || !before.Token.Equal(after.Token) {
		t.Fatalf("%+v %v", away, err)
	}
}

func TestInitThatWasCutOffGoesOnWithTheSameKeys(t *testing.T) {
	t.Parallel()
	h := newMachineAndBroker(t)
	in := owner.Init{SetupToken: h.srv.SetupToken()}
	cut := errors.New("power cut")
	var shown owner.Opened
	_, err := owner.Start(context.Background(), h.cfg, in, func(o owner.Opened) error { shown = o; return cut })
	if !errors.Is(err, cut) {
		t.Fatal(err)
	}
	if _, err := owner.Open(context.Background(), h.cfg); !errors.Is(err, owner.ErrNoAccount) {
		t.Fatalf("an unconfirmed account is open: %v", err)
	}
	for name, again := range map[string]owner.Init{"without the set-up token": {}, "with it": in} {
		got, err := owner.Start(context.Background(), h.cfg, again, silent)
		if err != nil || got.Wallet != shown.Wallet || (got.New && !got.RecoveryKey.Equal(shown.RecoveryKey)) {
			t.Errorf("%s: %+v %v", name, got, err)
		}
	}
	h.open()
}

func TestAWrongSetupTokenIsRefusedAndARightOneGoesOn(t *testing.T) {
	t.Parallel()
	h := newMachineAndBroker(t)
	right := h.srv.SetupToken()
	_, err := owner.Start(context.Background(), h.cfg, owner.Init{SetupToken: session.NewToken()}, silent)
	if !errors.Is(err, owner.ErrSetupRefused) {
		t.Fatal(err)
	}
	if _, err := owner.Start(context.Background(), h.cfg, owner.Init{}, silent); !errors.Is(err, owner.ErrSetupToken) {
		t.Fatal(err)
	}
	if got, err := owner.Start(context.Background(), h.cfg, owner.Init{SetupToken: right}, silent); err != nil || !got.New {
		t.Fatalf("%+v %v", got, err)
	}
}

func TestTheRecoveryKeyAloneBringsTheAccountBack(t *testing.T) {
	t.Parallel()
	h := newMachineAndBroker(t)
	made := h.init()
	if _, err := h.open().Store(context.Background(), "", "openrouter", secret.New("v1")); err != nil {
		t.Fatal(err)
	}
	other := newMachine(t, h.srv)
	got := must(owner.Start(context.Background(), other.cfg, owner.Init{RecoveryKey: made.RecoveryKey}, silent))(t)
	if got.Wallet != made.Wallet || !got.Restored {
		t.Fatalf("%+v", got)
	}
	if v := must(other.open().Read(context.Background(), got.Wallet, "openrouter"))(t); v.Reveal() != "v1" {
		t.Fatal("another value")
	}
	_, err := h.open().Agents(context.Background())
	var p *protocol.Problem
	if !errors.As(err, &p) || p.Code != protocol.CodeTokenRetired {
		t.Fatalf("the first machine does not learn it: %v", err)
	}
	back := must(owner.Start(context.Background(), h.cfg, owner.Init{}, silent))(t)
	if !back.Restored || back.Wallet != made.Wallet {
		t.Fatalf("init does not open it again: %+v", back)
	}
	must(h.open().Agents(context.Background()))(t)
}

func TestARecoveryKeyOfAnotherAccountChangesNothing(t *testing.T) {
	t.Parallel()
	h := initialised(t)
	stranger := newMachineAndBroker(t)
	key := stranger.init().RecoveryKey
	if _, err := owner.Start(context.Background(), h.cfg, owner.Init{RecoveryKey: key}, silent); !errors.Is(err, owner.ErrOtherAccount) {
		t.Fatal(err)
	}
	must(h.open().Agents(context.Background()))(t)
	empty := newMachine(t, h.srv)
	if _, err := owner.Start(context.Background(), empty.cfg, owner.Init{RecoveryKey: key}, silent); !errors.Is(err, owner.ErrSetupToken) {
		t.Fatalf("a broker that does not know the account: %v", err)
	}
}

func TestNoAnswerOfABrokerShowsTheRecoveryKeyAgain(t *testing.T) {
	t.Parallel()
	h := newMachineAndBroker(t)
	made := h.init()
	if err := h.open().End(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	shown := func(owner.Opened) error { t.Error("the recovery key was shown again"); return nil }
	foreign := must(wallet.Parse("0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed"))(t)
	l := h.withLiar()
	for name, test := range map[string]struct {
		info  protocol.SessionInfo
		opens bool
	}{
		"another wallet":    {protocol.SessionInfo{Wallet: foreign, Role: "owner", Time: 1}, false},
		"an agent":          {protocol.SessionInfo{Wallet: made.Wallet, Role: "agent", Time: 1}, false},
		"the ended session": {protocol.SessionInfo{Wallet: made.Wallet, Role: "owner", Time: 1}, true},
	} {
		l.session = func() (protocol.SessionInfo, error) { return test.info, nil }
		machines := []*machine{newMachine(t, h.srv)}
		machines[0].lie = h.lie
		if !test.opens {
			machines = append(machines, h)
		}
		for _, m := range machines {
			got, err := owner.Start(t.Context(), m.cfg, owner.Init{RecoveryKey: made.RecoveryKey}, shown)
			if got.New || !got.RecoveryKey.IsZero() || (err == nil) != test.opens {
				t.Errorf("%s: %v %v", name, got.New, err)
			}
		}
	}
	own := protocol.SessionInfo{Wallet: made.Wallet, Role: "owner", Time: 1}
	l.session = func() (protocol.SessionInfo, error) { return own, nil }
	got, err := owner.Start(t.Context(), h.cfg, owner.Init{}, shown)
	if err != nil || got.New || !got.Restored {
		t.Errorf("%v %v", got.New, err)
	}
}

func TestAnExpiredSessionIsResumedUnasked(t *testing.T) {
	t.Parallel()
	h := initialised(t)
	past := h.srv.Clock.Now()
	h.now = func() time.Time { return past } // this machine's clock does not know: no renewal before
	h.srv.Advance(31 * 24 * time.Hour)
	o := h.open()
	must(o.Agents(context.Background()))(t)
	must(h.open().Agents(context.Background()))(t)
}

func TestASessionOlderThanADayIsRenewed(t *testing.T) {
	t.Parallel()
	h := initialised(t)
	before, _, err := h.slots.Load(context.Background(), h.cfg.ID)
	if err != nil {
		t.Fatal(err)
	}
	h.srv.Advance(25 * time.Hour)
	must(h.open().Agents(context.Background()))(t)
	after, _, err := h.slots.Load(context.Background(), h.cfg.ID)
	if err != nil || after.Token.Equal(before.Token) || !after.Next.IsZero() || after.CreatedAt <= before.CreatedAt {
		t.Fatalf("not renewed: %v", err)
	}
}

func TestAFailedRenewalIsNotFatalAndGoesOnLater(t *testing.T) {
	t.Parallel()
	h := initialised(t)
	h.srv.Advance(25 * time.Hour)
	for _, step := range []string{"renew", "first use"} {
		h.lie = func(b owner.Broker) owner.Broker { return &cutting{Broker: b, step: step} }
		must(h.open().Agents(context.Background()))(t)
	}
	h.lie = nil
	must(h.open().Agents(context.Background()))(t)
	s, _, err := h.slots.Load(context.Background(), h.cfg.ID)
	if err != nil || !s.Next.IsZero() {
		t.Fatalf("the renewal was not finished: %v", err)
	}
}

// cutting loses the answer of one step of a renewal, after the broker did it.
type cutting struct {
	owner.Broker
	step string
}

func (c *cutting) Renew(ctx context.Context, token secret.String, r protocol.Renew) (protocol.SessionInfo, error) {
	info, err := c.Broker.Renew(ctx, token, r)
	if c.step == "renew" && err == nil {
		err = protocol.ErrUnreachable
	}
	return info, err
}

func (c *cutting) Session(ctx context.Context, token secret.String) (protocol.SessionInfo, error) {
	if c.step == "first use" {
		return protocol.SessionInfo{}, protocol.ErrUnreachable
	}
	return c.Broker.Session(ctx, token)
}

func TestEndingTheOwnSessionKeepsTheKeysUnlessAsked(t *testing.T) {
	t.Parallel()
	h := initialised(t)
	o := h.open()
	before, _, err := h.slots.Load(context.Background(), h.cfg.ID)
	if err != nil {
		t.Fatal(err)
	}
	if err := o.End(context.Background(), false); err != nil {
		t.Fatal(err)
	}
	if _, err := owner.Open(context.Background(), h.cfg); !errors.Is(err, owner.ErrNoAccount) {
		t.Fatal(err)
	}
	after, _, err := h.slots.Load(context.Background(), h.cfg.ID)
	if err != nil || after.Token.Equal(before.Token) || !after.SigningSeed.Equal(before.SigningSeed) {
		t.Fatalf("the token is still here, or the keys are not: %v", err)
	}
	if _, err := h.client().Session(context.Background(), before.Token); err == nil {
		t.Fatal("the broker still takes the token")
	}
	if got, err := owner.Start(context.Background(), h.cfg, owner.Init{}, silent); err != nil || !got.Restored {
		t.Fatalf("%+v %v", got, err)
	}
	if err := h.open().End(context.Background(), true); err != nil {
		t.Fatal(err)
	}
	if _, _, err := h.slots.Load(context.Background(), h.cfg.ID); err == nil {
		t.Fatal("the keys are still here")
	}
}
