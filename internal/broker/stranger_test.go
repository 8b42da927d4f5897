package broker_test

import (
	"testing"
	"time"

	"github.com/agentkeys/agentkeys/internal/broker"
	"github.com/agentkeys/agentkeys/internal/broker/brokertest"
	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/scope"
	"github.com/agentkeys/agentkeys/internal/seal"
	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/wallet"
)

// A stolen token ends with the next renewal, so who has it must not be able to put that off.
func TestAStolenTokenDoesNotKeepItsDeviceFromRenewing(t *testing.T) {
	t.Parallel()
	g := newStage(t, broker.StateActive)
	var last error
	for range 601 {
		last = g.use(g.current)
	}
	g.want(last, protocol.CodeSlowDown)
	next := session.NewToken()
	g.must(g.renew(g.current, next, g.d.Sign))
	g.want(g.use(next), protocol.CodeSlowDown) // the first use counts all the same
	g.want(g.use(g.current), protocol.CodeTokenRetired)
	g.d.Token = next
	g.must(g.s.Broker.EndSession(ctx(t), brokertest.As(next), g.d.End(t)))
}

// Anybody may ask to resume. Who has no key of the wallet changes nothing by it.
func TestAResumeWithoutAKeyUsesUpNoChallenge(t *testing.T) {
	t.Parallel()
	g := newStage(t, broker.StateActive)
	challenge := problem(t, g.use(session.NewToken())).Challenge
	resume := func(body protocol.Resume) error {
		_, err := g.s.Broker.Resume(ctx(t), brokertest.As(session.NewToken()), body)
		return err
	}
	next := session.NewToken()
	for range 3 {
		g.want(resume(g.resumeBody(next, seal.NewSeed(), challenge)), protocol.CodeTokenUnknown)
	}
	g.want(resume(g.resumeBody(next, g.d.Sign, challenge)), protocol.CodeCloneSuspected) // taken, and a copy of what lives
	g.want(resume(g.resumeBody(session.NewToken(), g.d.Sign, challenge)), protocol.CodeTokenUnknown)
}

// One pairing, which anybody may open, holds no number of requests.
func TestFewPollsWaitForOnePairing(t *testing.T) {
	t.Parallel()
	s := brokertest.Start(t)
	d, other := opened(t, s, ""), opened(t, s, "")
	poll := func(d *brokertest.Device, wait time.Duration) error {
		_, _, err := s.Broker.PollPairing(ctx(t), d.Credentials(), wait)
		return err
	}
	ended := make(chan error, 32)
	for range 16 {
		go func() { ended <- poll(d, time.Minute) }()
	}
	for brokertest.Must(s.Broker.Stats(ctx(t)))(t).WaitingPolls < 16 {
		time.Sleep(time.Millisecond)
	}
	if p := problem(t, poll(d, time.Minute)); p.Code != protocol.CodeSlowDown || p.RetryAfter != 5 {
		t.Errorf("the seventeenth: %q, again in %d s", p.Code, p.RetryAfter)
	}
	if err := poll(d, 0); err != nil {
		t.Errorf("one that does not wait: %v", err)
	}
	if err := poll(other, 0); err != nil {
		t.Errorf("another board's: %v", err)
	}
	owner := s.Owner()
	approval := owner.Approval(t, d, owner.Draft(t, d, wallet.New(), 1, scope.None()))
	if _, err := s.Broker.ApprovePairing(ctx(t), owner.Credentials(), approval); err != nil {
		t.Fatal(err)
	}
	for range 16 {
		if err := <-ended; err != nil {
			t.Errorf("one that waited: %v", err)
		}
	}
}
