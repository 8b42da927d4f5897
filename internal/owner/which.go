package owner

import (
	"fmt"
	"strings"

	"github.com/agentkeys/agentkeys/internal/wallet"
)

// Named is what a person said about the wallet to read from.
type Named struct {
	Daemon    string // --wallet, AGENTKEYS_WALLET
	Agent     string // --agent
	AsSession bool   // --session-id names an agent's slot, or any but master
}

// Present is what exists on this machine.
type Present struct {
	Master  bool // a master session
	Daemons []wallet.Wallet
}

// Choice says where to read from: the daemon if it is set, else the broker.
type Choice struct{ Daemon wallet.Wallet }

// BothError: --wallet excludes --agent and --session-id (usage).
type BothError struct{}

func (BothError) Error() string {
	return "--wallet names a daemon; --agent and --session-id go through the broker: give one"
}

// ManyError: several daemons are there and none was named (usage). Text names them all.
type ManyError struct{ Wallets []wallet.Wallet }

func (e ManyError) Error() string {
	list := make([]string, len(e.Wallets))
	for i, w := range e.Wallets {
		list[i] = w.String()
	}
	return fmt.Sprintf("this machine has %d agents, name one with --wallet: %s", len(e.Wallets), strings.Join(list, ", "))
}

// Which decides which wallet `read`, `list` and `run` use (docs/spec/architecture.md#which-wallet-is-meant).
// ErrNoAccount: there is neither a master session nor a daemon.
func Which(n Named, p Present) (Choice, error) {
	switch {
	case n.Daemon != "" && (n.Agent != "" || n.AsSession):
		return Choice{}, BothError{}
	case n.Daemon != "":
		w, err := wallet.Parse(n.Daemon)
		return Choice{Daemon: w}, err
	case n.Agent != "" || n.AsSession || p.Master:
		return Choice{}, nil
	case len(p.Daemons) == 1:
		return Choice{Daemon: p.Daemons[0]}, nil
	case len(p.Daemons) > 1:
		return Choice{}, ManyError{Wallets: p.Daemons}
	}
	return Choice{}, ErrNoAccount
}
