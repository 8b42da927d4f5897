package broker_test

import (
	"net/netip"
	"testing"

	"github.com/agentkeys/agentkeys/internal/broker"
)

func FuzzNetwork(f *testing.F) {
	for text, want := range map[string]string{
		"192.0.2.7": "192.0.2.7", "::ffff:192.0.2.7": "192.0.2.7", "2001:db8::1": "2001:db8::/64",
		"fe80::1%eth0": "fe80::/64", "local": "local", "": "",
	} {
		f.Add(text)
		if got := broker.Network(text); got != want {
			f.Errorf("%s: %s, want %s", text, got, want)
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		a, err := netip.ParseAddr(text)
		if err != nil || a.Unmap().Is4() {
			return
		}
		p, err := netip.ParsePrefix(broker.Network(text))
		if err != nil || p.Bits() != 64 || !p.Contains(a.WithZone("")) {
			t.Errorf("%s: %s", text, broker.Network(text))
		}
	})
}
