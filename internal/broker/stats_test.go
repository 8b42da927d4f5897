package broker_test

import (
	"testing"
	"time"

	"github.com/agentkeys/agentkeys/internal/broker"
	"github.com/agentkeys/agentkeys/internal/broker/brokertest"
	"github.com/agentkeys/agentkeys/internal/scope"
)

func TestStatsSayWhatABrokerWaitsFor(t *testing.T) {
	t.Parallel()
	s := brokertest.Start(t)
	owner, other := s.Owner(), s.Owner()
	stats := func() broker.Stats { return brokertest.Must(s.Broker.Stats(ctx(t)))(t) }
	if got := stats(); got.RestoredAccounts != 0 || got.ClockHeld || got.WaitingPolls != 0 {
		t.Errorf("at first: %+v", got)
	}
	s.PutBack(s.Copy())
	if got := stats().RestoredAccounts; got != 2 {
		t.Errorf("put back: %d accounts wait", got)
	}
	if err := s.OpenAccount(owner, owner.Signing); err != nil {
		t.Fatal(err)
	}
	if got := stats().RestoredAccounts; got != 1 {
		t.Errorf("one was opened: %d wait", got)
	}
	if err := s.OpenAccount(other, other.Signing); err != nil {
		t.Fatal(err)
	}
	s.Clock.Jump(15 * 24 * time.Hour)
	if !stats().ClockHeld {
		t.Error("the clock jumped by 15 days and is not held")
	}
}

func TestStatsCountThePollsThatWait(t *testing.T) {
	t.Parallel()
	s := brokertest.Start(t)
	owner := s.Owner()
	agents := []*brokertest.Device{s.Agent(owner, scope.All()), s.Agent(owner, scope.All())}
	ended := make(chan error, len(agents))
	for _, a := range agents {
		go func() {
			_, etag, _, err := s.Broker.Sync(ctx(t), a.Credentials(), "", 0)
			if err == nil {
				_, _, _, err = s.Broker.Sync(ctx(t), a.Credentials(), etag, time.Minute)
			}
			ended <- err
		}()
	}
	for brokertest.Must(s.Broker.Stats(ctx(t)))(t).WaitingPolls != len(agents) {
		time.Sleep(time.Millisecond)
	}
	s.Broker.Close()
	for range agents {
		<-ended
	}
	if got := brokertest.Must(s.Broker.Stats(ctx(t)))(t).WaitingPolls; got != 0 {
		t.Errorf("%d wait after all of them ended", got)
	}
}
