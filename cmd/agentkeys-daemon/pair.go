package main

import (
	"context"
	"errors"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/agentkeys/agentkeys/internal/agent"
	"github.com/agentkeys/agentkeys/internal/pairing"
	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/scope"
	"github.com/agentkeys/agentkeys/internal/seal"
	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/settings"
)

// patience is how long a broker that does not answer the first request is asked.
const (
	patience        = 30 * time.Second
	patienceService = protocol.PairingLife * time.Second
)

var (
	errNoBroker = errors.New("no broker is named")
	errCutOff   = errors.New("interrupted: the code is still good, the same command goes on with it")
)

type pairCommand struct {
	Broker *string `help:"Base URL of the broker, with its key pin if it has one." placeholder:"URL"`
	Alias  string  `help:"The name that the owner is asked to give." placeholder:"NAME"`
	Scope  string  `help:"The services that the owner is asked for: a,b, all or none." placeholder:"a,b" default:"none"`
}

type recoverCommand struct {
	Identity string  `arg:"" help:"Wallet, alias or e-mail address of the agent."`
	Broker   *string `help:"Base URL of the broker, with its key pin if it has one." placeholder:"URL"`
}

// Run pairs a new agent.
func (c pairCommand) Run(ctx context.Context, p *program) error {
	request, err := c.request()
	if err != nil {
		return err
	}
	_, err = p.pair(ctx, c.Broker, request, patience)
	return err
}

func (c pairCommand) request() (agent.PairRequest, error) {
	wish, err := scope.Parse(c.Scope)
	if err != nil {
		return agent.PairRequest{}, usage(err, "")
	}
	if c.Alias != "" {
		if err := seal.CheckAlias(c.Alias); err != nil {
			return agent.PairRequest{}, usage(err, "")
		}
	}
	return agent.PairRequest{Kind: pairing.KindPair, Alias: c.Alias, Scope: wish}, nil
}

// Run becomes an agent that there is.
func (c recoverCommand) Run(ctx context.Context, p *program) error {
	request, err := recoverRequest(c.Identity)
	if err != nil {
		return err
	}
	_, err = p.pair(ctx, c.Broker, request, patience)
	return err
}

// pair runs one pairing to its end and says each step.
func (p *program) pair(ctx context.Context, broker *string, r agent.PairRequest, wait time.Duration) (agent.Paired, error) {
	flags := p.flags.settings()
	if broker != nil {
		flags["broker"] = *broker
	}
	set, _, err := p.loadSettings("", flags)
	if err != nil {
		return agent.Paired{}, err
	}
	if set.Broker == "" {
		return agent.Paired{}, usage(errNoBroker, name+" pair --broker https://HOST:8420")
	}
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	out, err := p.pairWith(ctx, set, r, wait)
	debug.FreeOSMemory() // scrypt's 32 MiB
	say := p.announcer()
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		err = errCutOff
	}
	if err != nil {
		say.failed(classify(err))
		return out, err
	}
	say.paired(out)
	return out, nil
}

func (p *program) pairWith(ctx context.Context, set settings.Settings, r agent.PairRequest, wait time.Duration) (agent.Paired, error) {
	log, _ := p.logger(set)
	client, err := pairBroker(set.Broker)
	if err != nil {
		return agent.Paired{}, err
	}
	defer client.Close()
	s, err := p.openStore(set, log, nil)
	if err != nil {
		return agent.Paired{}, err
	}
	return agent.Pair(ctx, agent.PairConfig{
		Broker: client, URL: set.Broker, Store: s, Logger: log, Random: random,
		Host: hostName(), Machine: machineHash(), ShowCode: p.announcer().code, Patience: wait,
	}, r)
}

// sessionName is the slot of a paired agent.
func sessionName(out agent.Paired) string { return session.DaemonID(out.Wallet).String() }
