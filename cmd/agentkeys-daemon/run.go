package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/agentkeys/agentkeys/internal/agent/enroll"
	"github.com/agentkeys/agentkeys/internal/cli"
	"github.com/agentkeys/agentkeys/internal/pairing"
	"github.com/agentkeys/agentkeys/internal/seal"
	"github.com/agentkeys/agentkeys/internal/settings"
	"github.com/agentkeys/agentkeys/internal/store"
	"github.com/agentkeys/agentkeys/internal/wallet"
	"github.com/agentkeys/agentkeys/internal/words"
)

var errPairOrRecover = errors.New("--pair and --recover exclude each other")

type runCommand struct {
	walletFlag
	wish

	Pair    bool   `help:"Pair first when no agent is paired here."`
	Recover string `placeholder:"IDENTITY" help:"Recover this agent first when none is paired here."`
}

func (c *runCommand) Run(ctx context.Context, p *program) error {
	if c.Pair && c.Recover != "" {
		return cli.UsageOf(errPairOrRecover, name+" run --help")
	}
	if p.flags.PrintConfig {
		return p.printConfig(c.Wallet)
	}
	if err := p.mayMake(); err != nil {
		return err
	}
	w, err := c.agent(ctx, p)
	if err != nil {
		return err
	}
	return p.serve(ctx, w)
}

// printConfig prints the settings of one wallet, or the common ones.
func (p *program) printConfig(walletText string) error {
	canonical := ""
	if walletText != "" {
		w, err := p.parseWallet(walletText)
		if err != nil {
			return err
		}
		canonical = w.String()
	}
	set, origins, err := p.loadSettings(canonical)
	if err != nil {
		return err
	}
	set.Print(p.stdout, origins)
	return nil
}

// agent finds the agent to run, and pairs first if that is asked for and needed.
func (c *runCommand) agent(ctx context.Context, p *program) (wallet.Wallet, error) {
	if c.Wallet != "" {
		return p.parseWallet(c.Wallet)
	}
	set, _, err := p.loadSettings("")
	if err != nil {
		return wallet.Wallet{}, err
	}
	w, err := p.pairedAgent(set)
	if !errors.Is(err, store.ErrNoSession) || !c.Pair && c.Recover == "" {
		return w, err
	}
	request, err := c.request()
	if err != nil {
		return w, err
	}
	out, err := p.pair(ctx, request, patienceService, nil)
	return out.Wallet, err
}

func (p *program) pairedAgent(set settings.Settings) (wallet.Wallet, error) {
	log := p.quietLogger(set)
	set.SessionStore = words.ModeFile // the directories are enough to list the agents
	s, err := p.openStore(set, log, nil)
	if err != nil {
		return wallet.Wallet{}, err
	}
	return onlyAgent(s.Store)
}

func (c *runCommand) request() (enroll.Request, error) {
	if c.Recover != "" {
		return recoverRequest(c.Recover)
	}
	return c.wish.request()
}

var errIdentity = errors.New("an identity is a wallet, an alias or an e-mail address")

// recoverRequest checks what a person typed before a request is sent.
func recoverRequest(text string) (enroll.Request, error) {
	r := enroll.Request{Kind: pairing.KindRecover, Identity: strings.ToLower(text)}
	switch {
	case strings.HasPrefix(r.Identity, "0x"):
		w, err := wallet.Parse(text)
		if err != nil {
			return r, cli.UsageOf(err, "")
		}
		r.Identity = w.String()
	case seal.CheckAlias(text) != nil && seal.CheckEmail(r.Identity) != nil:
		return r, cli.UsageOf(fmt.Errorf("identity %.64q: %w", text, errIdentity), "")
	}
	return r, nil
}

// stopTime is how long a stop may take.
const stopTime = 5 * time.Second
