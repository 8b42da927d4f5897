package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/agentkeys/agentkeys/internal/cli"
	"github.com/agentkeys/agentkeys/internal/paths"
	"github.com/agentkeys/agentkeys/internal/store"
	"github.com/agentkeys/agentkeys/internal/wallet"
)

// errNotCanonical is for units: otherwise systemd would run one agent under two names.
var errNotCanonical = errors.New("the wallet in a unit's name is written in lower case")

func (p *program) home() (string, error) { return paths.Home(p.getenv, os.Geteuid()) }

// underSystemd reports whether the service manager started this process.
func (p *program) underSystemd() bool {
	return p.getenv("INVOCATION_ID") != "" || p.getenv("NOTIFY_SOCKET") != ""
}

// parseWallet accepts any case, but in a unit's name only the canonical one.
func (p *program) parseWallet(text string) (wallet.Wallet, error) {
	if text == "" {
		return wallet.Wallet{}, cli.Usage("--wallet is missing", name+" status   (the agents of this machine)")
	}
	w, err := wallet.Parse(text)
	if err != nil {
		return w, cli.UsageOf(err, name+" status   (the agents of this machine)")
	}
	p.wallet = w
	if p.underSystemd() && text != w.String() {
		return w, cli.UsageOf(fmt.Errorf("wallet %s: %w", text, errNotCanonical), "sudo systemctl start agentkeys-daemon@"+w.String())
	}
	return w, nil
}

// agents lists the agents in this home, including those that cannot be read.
func agents(s *store.Store) (live []wallet.Wallet, err error) {
	slots, err := s.List()
	if err != nil {
		return nil, err
	}
	for _, slot := range slots {
		if w, ok := slot.ID.Wallet(); ok && !slot.Tombstone {
			live = append(live, w)
		}
	}
	return live, nil
}

// onlyAgent is the agent of a command that names none. ErrNoSession: there is none. If there are
// several, the result is a usage error that lists them.
func onlyAgent(s *store.Store) (wallet.Wallet, error) {
	live, err := agents(s)
	if err != nil {
		return wallet.Wallet{}, err
	}
	switch len(live) {
	case 0:
		return wallet.Wallet{}, fmt.Errorf("no agent is paired on this machine (%s): %w", s.Home(), store.ErrNoSession)
	case 1:
		return live[0], nil
	}
	names := make([]string, len(live))
	for i, w := range live {
		names[i] = w.String()
	}
	return wallet.Wallet{}, cli.UsageOf(
		fmt.Errorf("several agents are paired on this machine, name one with --wallet: %s", strings.Join(names, ", ")),
		name+" run --wallet "+names[0])
}
