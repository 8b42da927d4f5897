package main

import (
	"context"

	"github.com/agentkeys/agentkeys/internal/cli"
	"github.com/agentkeys/agentkeys/internal/store"
	"github.com/agentkeys/agentkeys/internal/words"
)

type probeCommand struct{}

type probeReport struct {
	State           string  `json:"state"`
	Provider        string  `json:"provider"`
	DurationSeconds float64 `json:"duration_seconds"`
}

// Run probes the keychain once. It exits with 0 if it is unlocked, or not used by the settings.
func (*probeCommand) Run(ctx context.Context, p *program) error {
	set, _, err := p.loadSettings("")
	if err != nil {
		return err
	}
	log := p.quietLogger(set)
	s, err := p.openStore(set, log, nil)
	if err != nil {
		return err
	}
	found := store.Probe{State: words.KeychainDisabled}
	if s.keychain != nil {
		found = s.keychain.ProbeNow(ctx)
	}
	if err := p.printProbe(found); err != nil {
		return err
	}
	if found.State == words.KeychainUnlocked || found.State == words.KeychainDisabled {
		return nil
	}
	return cli.Exit(words.ExitFault)
}

func (p *program) printProbe(found store.Probe) error {
	if p.flags.JSON {
		return p.writeJSON(probeReport{string(found.State), found.Provider, found.Seconds})
	}
	p.printf("%s", found.State)
	if found.Provider != "" {
		p.printf(" (%s, %.1f ms)", found.Provider, found.Seconds*1000)
	}
	if found.Reason != "" {
		p.printf(": %s", found.Reason)
	}
	p.printf("\n")
	return nil
}
