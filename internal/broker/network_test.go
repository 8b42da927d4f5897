package broker_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/agentkeys/agentkeys/internal/broker"
	"github.com/agentkeys/agentkeys/internal/broker/brokertest"
	"github.com/agentkeys/agentkeys/internal/protocol"
)

func TestWhatAnAddressCountsAs(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]broker.Place{
		"192.0.2.7":         {"192.0.2.7/32", "192.0.2.0/24", "192.0.0.0/16"},
		"2001:db8:1:2:3::4": {"2001:db8:1:2::/64", "2001:db8:1::/48", "2001:db8::/32"},
		"::ffff:192.0.2.7":  {"192.0.2.7/32", "192.0.2.0/24", "192.0.0.0/16"},
		"local":             {"local", "local", "local"},
	} {
		if diff := cmp.Diff(want, broker.PlaceOf(address)); diff != "" {
			t.Errorf("%s: %s", address, diff)
		}
	}
}

func TestWhosePairingGoesWhereTheTableIsFull(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		addresses []string // oldest first
		want      int
	}{
		"one alone":                           {[]string{"192.0.2.1"}, 0},
		"all alike: the oldest":               {[]string{"192.0.2.1", "198.51.100.1", "203.0.113.1"}, 0},
		"the busiest address":                 {[]string{"192.0.2.1", "198.51.100.1", "198.51.100.1"}, 1},
		"many addresses of one neighbourhood": {[]string{"192.0.2.1", "192.0.2.1", "198.51.100.1", "198.51.100.2", "198.51.100.3"}, 2},
		"many neighbourhoods of one region":   {[]string{"192.0.2.1", "192.0.2.1", "198.51.1.1", "198.51.2.1", "198.51.3.1"}, 2},
		"a neighbour of those who flood":      {[]string{"198.51.100.9", "198.51.100.1", "198.51.100.1"}, 1},
		"networks of one customer with IPv6":  {[]string{"192.0.2.1", "192.0.2.1", "2001:db8:1:1::1", "2001:db8:1:2::1", "2001:db8:1:3::1"}, 2},
		"behind a unix socket":                {[]string{"local", "local", "192.0.2.1"}, 0},
	} {
		var all []broker.Place
		for _, a := range c.addresses {
			all = append(all, broker.PlaceOf(a))
		}
		if got := broker.Busiest(all); got != c.want {
			t.Errorf("%s: %d goes, want %d", name, got, c.want)
		}
	}
}

// flooders are addresses of one IPv6 /56.
func flooders(n int) []string {
	var out []string
	for i := range n {
		out = append(out, fmt.Sprintf("2001:db8:0:%x::1", i))
	}
	return out
}

func TestAFloodClosesPairingForNobodyElse(t *testing.T) {
	t.Parallel()
	s := brokertest.Start(t)
	s.Strangers(10, flooders(100)...)
	board := brokertest.NewDevice(t, "")
	open := func(d *brokertest.Device, address string) error {
		c := d.Credentials()
		c.Address = address
		_, err := s.Broker.OpenPairing(ctx(t), c, d.Opening())
		return err
	}
	if err := open(board, "192.0.2.1"); err != nil {
		t.Fatalf("1,000 pairings of strangers keep a board from its own: %v", err)
	}
	for i := range 50 {
		if err := open(brokertest.NewDevice(t, ""), fmt.Sprintf("2001:db8:0:%x::2", i)); err != nil && code(t, err) != protocol.CodeConflict {
			t.Fatalf("stranger %d: %v", i, err)
		}
	}
	granted, _, err := s.Broker.PollPairing(ctx(t), board.Credentials(), 0)
	if granted != nil || err != nil {
		t.Errorf("the board waits no more: %v", err)
	}
	if n := s.LivePairings(); n != 1000 {
		t.Errorf("%d pairings live, want 1000", n)
	}
}

func TestTheTableOfPairingsAtItsLimit(t *testing.T) {
	t.Parallel()
	for live, after := range map[int]int{998: 999, 999: 1000, 1000: 1000} {
		s := brokertest.Start(t)
		s.Strangers(live, "198.51.100.1")
		d := brokertest.NewDevice(t, "")
		s.Open(d)
		if n := s.LivePairings(); n != after {
			t.Errorf("%d and one more are %d, want %d", live, n, after)
		}
	}
}

func TestABoardThatWasDisplacedAsksAgain(t *testing.T) {
	t.Parallel()
	s := brokertest.Start(t)
	first := brokertest.NewDevice(t, "")
	crowded := first.Credentials()
	crowded.Address = "198.51.100.1"
	if _, err := s.Broker.OpenPairing(ctx(t), crowded, first.Opening()); err != nil {
		t.Fatal(err)
	}
	s.Strangers(999, "198.51.100.1")
	s.Open(brokertest.NewDevice(t, "")) // displaces the oldest of the busiest: first
	if _, _, err := s.Broker.PollPairing(ctx(t), first.Credentials(), 0); code(t, err) != protocol.CodeTokenUnknown {
		t.Errorf("a displaced board is told %v; at token_unknown it asks again", err)
	}
	if _, err := s.Broker.OpenPairing(ctx(t), first.Credentials(), first.Opening()); err != nil {
		t.Errorf("the same request again: %v", err)
	}
}

func TestEachPlaceHasAShareOfOpenings(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		address func(i int) string
		limit   int
	}{
		"one address":       {func(int) string { return "198.51.100.1" }, 10},
		"one neighbourhood": {func(i int) string { return fmt.Sprintf("198.51.100.%d", i) }, 60},
		"one region":        {func(i int) string { return fmt.Sprintf("198.51.%d.1", i) }, 240},
	} {
		s := brokertest.Start(t)
		d := brokertest.NewDevice(t, "")
		for i := range c.limit + 1 {
			cred := d.Credentials()
			cred.Address = c.address(i % 250)
			cred, err := s.Broker.AdmitOpening(cred)
			if err == nil {
				_, err = s.Broker.OpenPairing(ctx(t), cred, d.Opening())
			}
			if slow := err != nil; slow != (i == c.limit) {
				t.Fatalf("%s: number %d: %v", name, i+1, err)
			}
		}
		if _, err := s.Broker.AdmitOpening(brokertest.NewDevice(t, "").Credentials()); err != nil {
			t.Errorf("%s: another place: %v", name, err)
		}
	}
}

func TestEachPlaceHasAShareOfIdentities(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		address func(i int) string
		limit   int
	}{
		"one address":       {func(int) string { return "198.51.100.1" }, 10},
		"one neighbourhood": {func(i int) string { return fmt.Sprintf("198.51.100.%d", i) }, 30},
		"one region":        {func(i int) string { return fmt.Sprintf("198.51.%d.1", i) }, 100},
	} {
		s := brokertest.Start(t)
		ask := func(address string) string {
			return code(t, second(s.Broker.Resolve(ctx(t), broker.Credentials{Address: address}, "my-bot")))
		}
		for i := range c.limit + 1 {
			want := protocol.CodeNotFound
			if i == c.limit {
				want = protocol.CodeSlowDown
			}
			if got := ask(c.address(i)); got != want {
				t.Fatalf("%s: number %d: %q", name, i+1, got)
			}
		}
		if got := ask("192.0.2.1"); got != protocol.CodeNotFound {
			t.Errorf("%s: another place: %q", name, got)
		}
	}
}

func TestARetiredTokenGetsNoGrant(t *testing.T) {
	t.Parallel()
	for state, want := range map[string]string{
		broker.StateActive: protocol.CodeTokenRetired, broker.StateParked: protocol.CodeTokenRetired,
		broker.StateEnded: protocol.CodeSessionRevoked, broker.StateLapsed: protocol.CodeSessionExpired,
	} {
		g := newStage(t, state)
		granted, _, err := g.s.Broker.PollPairing(ctx(t), brokertest.As(g.retired), 0)
		if got := problem(t, err).Code; granted != nil || got != want {
			t.Errorf("%s: %q, want %q", state, got, want)
		}
	}
}
