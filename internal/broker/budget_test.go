package broker_test

import (
	"context"
	"testing"
	"time"

	"github.com/agentkeys/agentkeys/internal/broker"
	"github.com/agentkeys/agentkeys/internal/broker/brokertest"
	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/scope"
	"github.com/agentkeys/agentkeys/internal/session"
)

// rowsOf is how many rows there are of an action, and how many things they count.
func rowsOf(t *testing.T, s *brokertest.Server, owner *brokertest.Owner, action string) (rows, counted int) {
	t.Helper()
	q := protocol.AuditQuery{Action: action}
	for {
		page := brokertest.Must(s.Broker.Audit(ctx(t), owner.Credentials(), q))(t)
		for _, r := range page.Rows {
			rows++
			counted += protocol.ParseAccessDetail(r.Detail).Count
		}
		if q.Cursor = page.Next; q.Cursor == 0 {
			return rows, counted
		}
	}
}

func TestWhatIsBeyondTheBudgetIsCounted(t *testing.T) {
	t.Parallel()
	wrong := protocol.Renew{NextSHA256: session.TokenHash(session.NewToken()), Proof: make([]byte, 64)}
	for name, c := range map[string]struct {
		action string
		ask    func(*brokertest.Server, *brokertest.Device) error
	}{
		"wrong proofs": {protocol.ActionProofFailed, func(s *brokertest.Server, d *brokertest.Device) error {
			_, err := s.Broker.Renew(context.Background(), d.Credentials(), wrong)
			return err
		}},
		"an owner's request": {protocol.ActionAccessDenied, func(s *brokertest.Server, d *brokertest.Device) error {
			_, err := s.Broker.Pairings(context.Background(), d.Credentials())
			return err
		}},
		"names out of scope": {protocol.ActionAccessDenied, func(s *brokertest.Server, d *brokertest.Device) error {
			_, err := s.Broker.Record(context.Background(), d.Credentials(), d.Wallet, "brave-search")
			return err
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := brokertest.Start(t)
			owner := s.Owner()
			d := s.Agent(owner, scope.None())
			const asked = 200
			for range asked {
				if err := c.ask(s, d); err == nil {
					t.Fatal("not refused")
				}
			}
			first, _ := rowsOf(t, s, owner, c.action)
			if first > 61 {
				t.Fatalf("%d rows of %d requests", first, asked)
			}
			s.Advance(2 * time.Minute) // and sweep
			rows, counted := rowsOf(t, s, owner, c.action)
			if rows != first+1 || counted != asked {
				t.Errorf("then %d rows that count %d of %d requests", rows, counted, asked)
			}
		})
	}
}

func TestAWrongProofDoesNotKeepTheDeviceFromRenewing(t *testing.T) {
	t.Parallel()
	s := brokertest.Start(t)
	d := s.Agent(s.Owner(), scope.None())
	var last error
	for range 30 {
		_, last = s.Broker.Renew(ctx(t), d.Credentials(), protocol.Renew{NextSHA256: session.TokenHash(session.NewToken()), Proof: make([]byte, 64)})
	}
	if got := code(t, last); got != protocol.CodeSlowDown {
		t.Errorf("the thirtieth wrong proof: %q", got)
	}
	next := session.TokenHash(session.NewToken())
	proof := brokertest.Must(session.Prove(d.Sign, session.RenewText(d.Wallet, session.TokenHash(d.Token), next)))(t)
	if _, err := s.Broker.Renew(ctx(t), d.Credentials(), protocol.Renew{NextSHA256: next, Proof: proof}); err != nil {
		t.Errorf("the device itself: %v", err)
	}
}

func TestAllRecordsAreSyncedWithinTheBudget(t *testing.T) {
	t.Parallel()
	s := brokertest.Start(t)
	owner := s.Owner()
	d := s.Agent(owner, scope.All(), "openrouter", "anthropic")
	const asked = 500
	for range asked {
		if _, err := s.Broker.Records(ctx(t), d.Credentials(), d.Wallet); err != nil {
			t.Fatal(err)
		}
	}
	first, _ := rowsOf(t, s, owner, protocol.ActionSynced)
	s.Advance(2 * time.Minute)
	rows, counted := rowsOf(t, s, owner, protocol.ActionSynced)
	if first > 645 || rows > first+4 || counted != 2*asked {
		t.Errorf("%d, then %d rows that count %d", first, rows, counted)
	}
}

func TestACountIsWrittenAtAStop(t *testing.T) {
	t.Parallel()
	s := brokertest.Start(t)
	owner := s.Owner()
	d := s.Agent(owner, scope.None())
	for range 100 {
		_, _ = s.Broker.Pairings(ctx(t), d.Credentials()) // refused, as above
	}
	stopped, cancel := context.WithCancel(context.Background())
	cancel()
	s.Broker.Run(stopped)
	if _, counted := rowsOf(t, s, owner, protocol.ActionAccessDenied); counted != 100 {
		t.Errorf("counted %d of 100", counted)
	}
}

func TestGrowthOfADayIsBounded(t *testing.T) {
	t.Parallel()
	const most = 25_000 // as docs/spec/architecture.md says
	if rows := broker.RowsOfADay(brokertest.NewClock().Now(), 5*time.Second); rows > most || rows < most*8/10 {
		t.Errorf("one wallet wrote %d rows in a day", rows)
	}
}
