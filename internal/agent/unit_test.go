package agent

import (
	"testing"

	"github.com/agentkeys/agentkeys/internal/wallet"
)

func TestAReportNamesTheUnitsThatABrokerTakes(t *testing.T) {
	t.Parallel()
	own, other := wallet.New(), wallet.New()
	for name, c := range map[string]struct{ unit, want string }{
		"none":               {"", ""},
		"a program's":        {"hermes.service", "hermes.service"},
		"the own daemon's":   {"agentkeys-daemon@" + own.String() + ".service", "agentkeys-daemon@" + own.String() + ".service"},
		"another wallet's":   {"agentkeys-daemon@" + other.String() + ".service", "other-wallet"},
		"a name with blanks": {"a b.scope", "unnamed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := unitToTell(c.unit, own); got != c.want {
				t.Errorf("%q", got)
			}
		})
	}
}
