package broker_test

import (
	"testing"
	"time"

	"github.com/agentkeys/agentkeys/internal/broker"
	"github.com/agentkeys/agentkeys/internal/broker/brokertest"
	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/scope"
	"github.com/agentkeys/agentkeys/internal/seal"
	"github.com/agentkeys/agentkeys/internal/secret"
	"github.com/agentkeys/agentkeys/internal/session"
)

func (g *stage) reopen(signing secret.String) error {
	text := session.ReopenText(g.owner.Wallet, g.d.Wallet, session.TokenHash(g.owner.Token))
	body := protocol.Reopen{Proof: brokertest.Must(session.Prove(signing, text))(g.t)}
	return g.s.Broker.Reopen(ctx(g.t), g.owner.Credentials(), g.d.Wallet, body)
}

func TestReopenTakesTheOwnersKey(t *testing.T) {
	t.Parallel()
	g := newStage(t, broker.StateLapsed)
	asked := session.NewToken()
	g.want(g.resume(session.NewToken(), g.d.Sign), protocol.CodeApprovalNeeded)
	g.want(g.resume(asked, g.d.Sign), protocol.CodeApprovalNeeded)
	g.want(g.use(asked), protocol.CodeSessionExpired)
	g.want(g.reopen(seal.NewSeed()), protocol.CodeDenied)
	g.want(g.use(asked), protocol.CodeSessionExpired)
	g.must(g.reopen(g.owner.Signing))
	g.must(g.reopen(g.owner.Signing))
	g.want(g.use(g.next), protocol.CodeTokenUnknown)
	g.must(g.use(asked))
	g.want(g.use(g.current), protocol.CodeTokenRetired)

	parked := newStage(t, broker.StateParked)
	parked.want(parked.reopen(parked.owner.Signing), protocol.CodeConflict)
	ended := newStage(t, broker.StateEnded)
	ended.want(ended.reopen(ended.owner.Signing), protocol.CodeConflict)
}

func TestResumeInANewEpoch(t *testing.T) {
	t.Parallel()
	g := newStage(t, broker.StateActive)
	g.s.NewEpoch()
	next := session.NewToken()
	g.want(g.resume(next, g.d.Sign), protocol.CodeRestored)
	g.must(g.s.OpenAccount(g.owner, g.owner.Signing))
	g.must(g.resume(next, g.d.Sign))
	g.must(g.resume(next, g.d.Sign))
	g.must(g.use(next))
	g.want(g.use(g.current), protocol.CodeTokenRetired)
	g.want(g.resume(session.NewToken(), g.d.Sign), protocol.CodeCloneSuspected)
}

func TestOwnerComesBackWithTheSigningKey(t *testing.T) {
	t.Parallel()
	for name, before := range map[string]func(*brokertest.Server, *brokertest.Owner) error{
		"from a new machine": func(*brokertest.Server, *brokertest.Owner) error { return nil },
		"after its own session": func(s *brokertest.Server, o *brokertest.Owner) error {
			return s.Broker.EndSession(t.Context(), o.Credentials(), protocol.EndSession{})
		},
		"after 31 days": func(s *brokertest.Server, _ *brokertest.Owner) error { s.Advance(31 * 24 * time.Hour); return nil },
	} {
		s := brokertest.Start(t)
		o := s.Owner()
		old := o.Token
		if err := before(s, o); err != nil {
			t.Fatal(name, err)
		}
		if err := s.OwnerResumes(o); err != nil {
			t.Fatal(name, err)
		}
		if _, err := s.Broker.Agents(ctx(t), o.Credentials(), 0); err != nil {
			t.Error(name, err)
		}
		if got := code(t, func() error { _, err := s.Broker.Agents(ctx(t), brokertest.As(old), 0); return err }()); got == "" {
			t.Error(name, "the old token is good still")
		}
	}
}

func TestAnApprovalThatNobodyUses(t *testing.T) {
	t.Parallel()
	s := brokertest.Start(t)
	owner := s.Owner()
	d := s.Agent(owner, scope.All())
	s.Advance(24*time.Hour - time.Second)
	agent, err := s.Broker.Agent(ctx(t), owner.Credentials(), d.Wallet)
	if err != nil || agent.State != protocol.AgentNeverSeen {
		t.Fatalf("%q %v", agent.State, err)
	}
	s.Advance(time.Second)
	_, err = s.Broker.Session(ctx(t), d.Credentials())
	if got := code(t, err); got != protocol.CodeSessionRevoked {
		t.Errorf("after 24 h: %q", got)
	}
}

func TestAClockThatJumpedLapsesNothing(t *testing.T) {
	t.Parallel()
	for name, jump := range map[string]time.Duration{"ten years ahead": 10 * 365 * 24 * time.Hour, "ahead by 31 days": 31 * 24 * time.Hour} {
		s := brokertest.Start(t)
		owner := s.Owner()
		used, unused := s.Agent(owner, scope.All()), s.Agent(owner, scope.All())
		use := func(d *brokertest.Device) string {
			_, err := s.Broker.Session(ctx(t), d.Credentials())
			return code(t, err)
		}
		if got := use(used); got != "" {
			t.Fatal(name, got)
		}
		s.Clock.Jump(jump)
		if got := use(used); got != "" {
			t.Error(name, "before the sweep:", got)
		}
		if err := s.Broker.Sweep(ctx(t)); err != nil {
			t.Fatal(err)
		}
		if got := use(used) + use(unused); got != "" {
			t.Error(name, "after the sweep:", got)
		}
		if err := s.Broker.AcceptClock(ctx(t)); err != nil {
			t.Fatal(err)
		}
		if got := use(used); got != protocol.CodeSessionExpired {
			t.Error(name, "after it was accepted:", got)
		}
	}
}

// A broker that was off or asleep does not have a wrong clock: sessions still lapse by it,
// and a session that is renewed every day does not.
func TestAPauseOfTheBrokerIsNoWrongClock(t *testing.T) {
	t.Parallel()
	for name, pause := range map[string]time.Duration{"26 hours": 26 * time.Hour, "a weekend": 72 * time.Hour, "a week": 7 * 24 * time.Hour, "two weeks": 14*24*time.Hour - 2*time.Hour} {
		for how, restart := range map[string]bool{"off": true, "asleep": false} {
			s := brokertest.Start(t)
			owner := s.Owner()
			used, unused := s.Agent(owner, scope.All()), s.Agent(owner, scope.All())
			use := func(d *brokertest.Device) string { return code(t, last(s.Broker.Session(ctx(t), d.Credentials()))) }
			if got := use(used); got != "" {
				t.Fatal(name, how, got)
			}
			if restart {
				s.Stop()
			}
			s.Clock.Jump(pause)
			if restart {
				s.Restart()
			}
			s.Advance(time.Hour)
			if got := use(used); got != "" {
				t.Error(name, how, "after the pause:", got)
			}
			if s.Broker.Info().ClockHeld {
				t.Error(name, how, "held")
			}
			s.Advance(31 * 24 * time.Hour)
			if got := use(used); got != protocol.CodeSessionExpired {
				t.Error(name, how, "31 days later:", got)
			}
			if got := use(unused); got != protocol.CodeSessionRevoked {
				t.Error(name, how, "an approval that nobody used:", got)
			}
		}
	}
}

// Every client is told of a clock that jumped, until a person accepts it or it is right again.
func TestAClockThatJumpedIsToldUntilItIsRight(t *testing.T) {
	t.Parallel()
	for name, jump := range map[string]time.Duration{"ahead": 5 * 365 * 24 * time.Hour, "15 days ahead": 15 * 24 * time.Hour, "back": -48 * time.Hour} {
		for how, mend := range map[string]func(s *brokertest.Server){
			"accepted": func(s *brokertest.Server) {
				if err := s.Broker.AcceptClock(ctx(t)); err != nil {
					t.Fatal(err)
				}
			},
			"set right": func(s *brokertest.Server) { s.Clock.Jump(-jump) },
		} {
			s := brokertest.Start(t)
			s.Advance(time.Hour)
			s.Clock.Jump(jump)
			for range 3 {
				s.Advance(time.Hour)
				if !s.Broker.Info().ClockHeld {
					t.Error(name, how, "not told")
				}
			}
			s.Stop()
			s.Restart()
			if !s.Broker.Info().ClockHeld {
				t.Error(name, how, "not told after a restart")
			}
			mend(s)
			s.Advance(time.Minute)
			if s.Broker.Info().ClockHeld {
				t.Error(name, how, "told for ever")
			}
		}
	}
}

// Only the owner can restore an ended agent, so its token alone must not end it.
func TestATokenAloneEndsNoAgent(t *testing.T) {
	t.Parallel()
	s := brokertest.Start(t)
	o := s.Owner()
	d, other := s.Agent(o, scope.All()), s.Agent(o, scope.All())
	stale := *d
	stale.Token = session.NewToken()
	foreign := *d
	foreign.Wallet = other.Wallet
	renewal := protocol.EndSession{Proof: brokertest.Must(session.Prove(d.Sign,
		session.RenewText(d.Wallet, session.TokenHash(d.Token), session.TokenHash(session.NewToken()))))(t)}
	for name, body := range map[string]protocol.EndSession{
		"no proof": {}, "another device's": other.End(t), "for another token": stale.End(t),
		"for another wallet": foreign.End(t), "of a renewal": renewal,
	} {
		if got := code(t, s.Broker.EndSession(ctx(t), d.Credentials(), body)); got != protocol.CodeDenied {
			t.Errorf("%s: %q", name, got)
		}
	}
	if _, err := s.Broker.Session(ctx(t), d.Credentials()); err != nil {
		t.Fatal(err)
	}
	if err := s.Broker.EndSession(ctx(t), d.Credentials(), d.End(t)); err != nil {
		t.Fatal(err)
	}
	if got := code(t, last(s.Broker.Session(ctx(t), d.Credentials()))); got != protocol.CodeSessionRevoked {
		t.Errorf("after its own end: %q", got)
	}
	if err := s.Broker.EndSession(ctx(t), o.Credentials(), protocol.EndSession{}); err != nil {
		t.Errorf("an owner's: %v", err)
	}
}
