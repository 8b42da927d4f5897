package broker_test

import (
	"bytes"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/agentkeys/agentkeys/internal/broker"
	"github.com/agentkeys/agentkeys/internal/broker/brokertest"
	"github.com/agentkeys/agentkeys/internal/pairing"
	"github.com/agentkeys/agentkeys/internal/protocol"
)

func FuzzNetwork(f *testing.F) {
	for text, want := range map[string]string{
		"192.0.2.7": "192.0.2.7/32", "::ffff:192.0.2.7": "192.0.2.7/32", "2001:db8::1": "2001:db8::/64",
		"fe80::1%eth0": "fe80::/64", "local": "local", "": "",
	} {
		f.Add(text)
		if got := broker.PlaceOf(text)[0]; got != want {
			f.Errorf("%s: %s, want %s", text, got, want)
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		a, err := netip.ParseAddr(text)
		if err != nil || a.Unmap().Is4() {
			return
		}
		p, err := netip.ParsePrefix(broker.PlaceOf(text)[0])
		if err != nil || p.Bits() != 64 || !p.Contains(a.WithZone("")) {
			t.Errorf("%s: %s", text, broker.PlaceOf(text)[0])
		}
	})
}

func TestWrongLookupsAreCounted(t *testing.T) {
	t.Parallel()
	s := brokertest.Start(t)
	owner, other := s.Owner(), s.Owner()
	d := opened(t, s, "")
	wrong := func() string {
		l := pairing.NewCode().Lookup()
		for l == d.Lookup {
			l = pairing.NewCode().Lookup()
		}
		return l
	}
	for i := range 20 {
		if got := find(t, s, owner, wrong()); got != protocol.CodeNotFound {
			t.Fatalf("wrong lookup %d: %q", i+1, got)
		}
		s.Clock.Jump(time.Second)
	}
	_, err := s.Broker.FindPairing(ctx(t), owner.Credentials(), protocol.FindPairing{Lookup: d.Lookup})
	if p := problem(t, err); p.Code != protocol.CodeSlowDown || p.RetryAfter != 40 {
		t.Errorf("the right one after 20 wrong ones: %q, wait %d", p.Code, p.RetryAfter)
	}
	if got := find(t, s, other, d.Lookup); got != "" {
		t.Errorf("another owner: %q", got)
	}
	s.Clock.Jump(40 * time.Second)
	if got := find(t, s, owner, d.Lookup); got != "" {
		t.Errorf("a minute after the first: %q", got)
	}
}

func TestOpeningsAreCountedByNetwork(t *testing.T) {
	t.Parallel()
	s := brokertest.Start(t)
	lookups := map[string]bool{}
	open := func(address string) string {
		d := brokertest.NewDevice(t, "")
		for lookups[d.Lookup] {
			d.Lookup = pairing.NewCode().Lookup()
		}
		lookups[d.Lookup] = true
		return code(t, second(s.Broker.OpenPairing(ctx(t), broker.Credentials{Address: address}, d.Opening())))
	}
	for range 10 {
		if got := open("2001:db8:1:2::1") + open("198.51.100.1"); got != "" {
			t.Fatal(got)
		}
	}
	got := []string{open("2001:db8:1:2:ffff::9"), open("::ffff:198.51.100.1"), open("2001:db8:1:3::1"), open("198.51.100.2")}
	if diff := cmp.Diff([]string{protocol.CodeSlowDown, protocol.CodeSlowDown, "", ""}, got); diff != "" {
		t.Error(diff)
	}
	s.Clock.Jump(time.Minute)
	if got := open("198.51.100.1"); got != "" {
		t.Errorf("a minute later: %q", got)
	}
}

func TestAPaddedRequestIsRefused(t *testing.T) {
	t.Parallel()
	s := brokertest.Start(t)
	d := brokertest.NewDevice(t, "")
	body := d.Opening()
	body.Request = append(body.Request, bytes.Repeat([]byte(" "), 8<<10)...)
	if got := code(t, second(s.Broker.OpenPairing(ctx(t), d.Credentials(), body))); got != protocol.CodeBadRequest {
		t.Fatalf("a request of %d bytes: %q", len(body.Request), got)
	}
}

// A fleet of many thousands costs no look at all of them with each request, and what is
// over does not stay.
func TestCountsOfAMinuteAreForgottenAndNotLookedAtEachTime(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	keys, looks := broker.CountedKeys(20_000, now, now)
	if keys != 20_000 || looks > 60_000 {
		t.Errorf("%d keys after %d looks", keys, looks)
	}
	if keys, _ := broker.CountedKeys(4_097, now, now.Add(time.Minute)); keys != 1 {
		t.Errorf("%d keys a minute later", keys)
	}
}
