package main

import (
	"context"

	"github.com/agentkeys/agentkeys/internal/localclient"
	"github.com/agentkeys/agentkeys/internal/owner"
	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/secret"
	"github.com/agentkeys/agentkeys/internal/wallet"
)

// access is a session that reads through the broker: the owner's or an agent's.
type access interface {
	Who() owner.Who
	Resolve(ctx context.Context, identity string) (wallet.Wallet, error)
	List(ctx context.Context, w wallet.Wallet) ([]protocol.CredentialInfo, error)
	Read(ctx context.Context, w wallet.Wallet, service string) (secret.String, error)
}

// access opens the session that the command uses: `daemon-<wallet>` acts as that agent, any other as
// an owner.
func (a *app) access() (access, error) {
	cfg, err := a.config()
	if err != nil {
		return nil, err
	}
	w, agent := cfg.ID.Wallet()
	if !agent {
		return owner.Open(a.ctx, cfg)
	}
	if cfg.BrokerURL, err = a.deviceBroker(w); err != nil {
		return nil, err
	}
	d, err := owner.OpenDevice(a.ctx, cfg)
	if err != nil {
		return nil, agentSlotFault(err, cfg.ID)
	}
	return d, nil
}

const hintPair = "agentkeys-daemon pair --broker URL"

// source is one wallet to read from.
type source interface {
	Wallet() wallet.Wallet
	List(ctx context.Context) ([]protocol.CredentialInfo, error)
	Read(ctx context.Context, service string) (secret.String, error)
}

// source decides which wallet is meant and opens it (docs/spec/architecture.md#which-wallet-is-meant).
func (a *app) source(agent string) (source, error) {
	named := owner.Named{Daemon: a.global.Wallet, Agent: agent, AsSession: a.global.SessionID != nil}
	var there owner.Present
	if named == (owner.Named{}) {
		var err error
		if there, err = a.present(); err != nil {
			return nil, err
		}
	}
	choice, err := owner.Which(named, there)
	if err != nil {
		return nil, whichFault(err)
	}
	if !choice.Daemon.IsZero() {
		return daemonSource{client: a.daemon(choice.Daemon), wallet: choice.Daemon}, nil
	}
	acc, err := a.access()
	if err != nil {
		return nil, err
	}
	w, err := acc.Resolve(a.ctx, agent)
	return brokerSource{access: acc, wallet: w}, err
}

// brokerSource reads through the broker and opens the records on this machine.
type brokerSource struct {
	access access
	wallet wallet.Wallet
}

func (s brokerSource) Wallet() wallet.Wallet { return s.wallet }

func (s brokerSource) List(ctx context.Context) ([]protocol.CredentialInfo, error) {
	list, err := s.access.List(ctx, s.wallet)
	return list, s.fault(err)
}

func (s brokerSource) Read(ctx context.Context, service string) (secret.String, error) {
	value, err := s.access.Read(ctx, s.wallet, service)
	return value, s.fault(err)
}

func (s brokerSource) fault(err error) error {
	if d, ok := s.access.(*owner.Device); ok {
		return deviceFault(err, d.Wallet())
	}
	return err
}

// daemonSource asks a daemon on this machine.
type daemonSource struct {
	client *localclient.Client
	wallet wallet.Wallet
}

func (s daemonSource) Wallet() wallet.Wallet { return s.wallet }

func (s daemonSource) List(ctx context.Context) ([]protocol.CredentialInfo, error) {
	list, err := s.client.Credentials(ctx)
	if err != nil {
		return nil, daemonFault(err, s.wallet)
	}
	return list, nil
}

func (s daemonSource) Read(ctx context.Context, service string) (secret.String, error) {
	v, err := s.client.Credential(ctx, service)
	if err != nil {
		return secret.String{}, daemonFault(err, s.wallet)
	}
	if v.Credential != nil {
		return secret.New(*v.Credential), nil
	}
	return secret.New(string(v.CredentialBase64)), nil
}
