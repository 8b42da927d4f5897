package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/agentkeys/agentkeys/internal/agent"
	"github.com/agentkeys/agentkeys/internal/pairing"
	"github.com/agentkeys/agentkeys/internal/settings"
	"github.com/agentkeys/agentkeys/internal/store"
	"github.com/agentkeys/agentkeys/internal/wallet"
)

var errPairOrRecover = errors.New("--pair and --recover exclude each other")

type runCommand struct {
	Wallet        string  `help:"The agent to run; may be left out when there is only one." placeholder:"0x.."`
	Pair          bool    `help:"Pair first when no agent is paired here."`
	Recover       string  `help:"Recover this agent first when it is not paired here." placeholder:"IDENTITY"`
	Broker        *string `help:"Broker for --pair and --recover." placeholder:"URL"`
	Alias         string  `help:"With --pair: the name that the owner is asked to give." placeholder:"NAME"`
	Scope         string  `help:"With --pair: the services that the owner is asked for." placeholder:"a,b" default:"none"`
	Allow         *string `help:"Who may ask: user=NAME, group=NAME or unit=NAME.service, separated by commas." placeholder:"RULES"`
	AllowRoot     *string `help:"Whether root may ask: true or false." placeholder:"BOOL"`
	MetricsListen *string `help:"A TCP address for /metrics of this instance alone." placeholder:"HOST:PORT"`
	PrintConfig   bool    `help:"Print each setting and where it came from, and end."`
}

func (c runCommand) settings(p *program) map[string]string {
	flags := p.flags.settings()
	for key, value := range map[string]*string{
		"broker": c.Broker, "allow": c.Allow, "allow_root": c.AllowRoot, "metrics_listen": c.MetricsListen,
	} {
		if value != nil {
			flags[key] = *value
		}
	}
	return flags
}

// Run keeps one agent until it is told to stop.
func (c runCommand) Run(ctx context.Context, p *program) error {
	if c.Pair && c.Recover != "" {
		return usage(errPairOrRecover, name+" run --help")
	}
	if c.PrintConfig {
		return c.printConfig(p)
	}
	w, err := c.wallet(ctx, p)
	if err != nil {
		return err
	}
	return p.serve(ctx, w, c.settings(p))
}

func (c runCommand) printConfig(p *program) error {
	canonical := ""
	if c.Wallet != "" {
		w, err := p.parseWallet(c.Wallet)
		if err != nil {
			return err
		}
		canonical = w.String()
	}
	set, origins, err := p.loadSettings(canonical, c.settings(p))
	if err != nil {
		return err
	}
	set.Print(p.stdout, origins)
	return nil
}

// wallet finds the agent to run, pairing first where that is asked for and needed.
func (c runCommand) wallet(ctx context.Context, p *program) (wallet.Wallet, error) {
	if c.Wallet != "" {
		return p.parseWallet(c.Wallet)
	}
	set, _, err := p.loadSettings("", c.settings(p))
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
	out, err := p.pair(ctx, c.Broker, request, patienceService)
	return out.Wallet, err
}

func (p *program) pairedAgent(set settings.Settings) (wallet.Wallet, error) {
	log, _ := p.logger(set)
	set.SessionStore = store.ModeFile // directories are enough to know who is here
	s, err := p.openStore(set, log, nil)
	if err != nil {
		return wallet.Wallet{}, err
	}
	return onlyAgent(s.Store)
}

func (c runCommand) request() (agent.PairRequest, error) {
	if c.Recover != "" {
		return recoverRequest(c.Recover)
	}
	return pairCommand{Alias: c.Alias, Scope: c.Scope}.request()
}

func recoverRequest(identity string) (agent.PairRequest, error) {
	if identity == "" || pairing.CheckText(identity) != nil {
		return agent.PairRequest{}, usage(fmt.Errorf("identity %.64q: a wallet, an alias or an e-mail address", identity), "")
	}
	if len(identity) > 1 && identity[0] == '0' && (identity[1] == 'x' || identity[1] == 'X') {
		w, err := wallet.Parse(identity)
		if err != nil {
			return agent.PairRequest{}, usage(err, "")
		}
		identity = w.String()
	}
	return agent.PairRequest{Kind: pairing.KindRecover, Identity: identity}, nil
}

// stopTime is how long a stop may take.
const stopTime = 5 * time.Second
