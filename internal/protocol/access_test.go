package protocol_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/wallet"
)

func TestAnAccessDetailReadsBack(t *testing.T) {
	t.Parallel()
	for name, d := range map[string]protocol.AccessDetail{
		"a read":      {Interface: "agent.sock", Caller: "uid=1000", Unit: "hermes.service", Count: 1},
		"many, late":  {Interface: "agent.sock", Caller: "uid=1000", Count: 37, At: 1_700_000_000},
		"only counts": {Count: 5},
		"a denial":    {Interface: "agent.sock", Caller: "uid=1000", Reason: protocol.ReasonScope, Count: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(d, protocol.ParseAccessDetail(d.String())); diff != "" {
				t.Error(diff)
			}
		})
	}
	if got := protocol.ParseAccessDetail("from 10.0.0.1 count=-3 at=soon"); got != (protocol.AccessDetail{Count: 1}) {
		t.Errorf("%+v", got)
	}
}

func TestAnotherWalletIsSeenInAnyForm(t *testing.T) {
	t.Parallel()
	own, other := wallet.New(), wallet.New()
	for name, c := range map[string]struct {
		text string
		want bool
	}{
		"the own daemon":          {"agentkeys-daemon@" + own.String() + ".service", false},
		"a program's unit":        {"hermes.service", false},
		"another's daemon":        {"agentkeys-daemon@" + other.String() + ".service", true},
		"another's, other case":   {"agentkeys-daemon@0X" + strings.ToUpper(other.String()[2:]) + ".service", true},
		"another's, for people":   {"agentkeys-daemon@" + other.EIP55() + ".service", true},
		"another's, escaped":      {`agentkeys-daemon@\x30` + other.String()[1:] + ".service", true},
		"an instance by an alias": {"agentkeys-daemon@hermes.service", true},
		"in a slot's name":        {"daemon-" + other.String(), true},
		"both":                    {own.String() + "-" + other.String(), true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := protocol.NamesOtherWallet(c.text, own); got != c.want {
				t.Errorf("%s: %v", c.text, got)
			}
		})
	}
}
