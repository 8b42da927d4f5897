package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/agentkeys/agentkeys/internal/cli"
	"github.com/agentkeys/agentkeys/internal/localclient"
	"github.com/agentkeys/agentkeys/internal/paths"
	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/store"
	"github.com/agentkeys/agentkeys/internal/wallet"
	"github.com/agentkeys/agentkeys/internal/words"
)

const waitPause = 100 * time.Millisecond

var errNotPositive = errors.New("--timeout must be more than 0")

type waitCommand struct {
	walletFlag

	Timeout time.Duration `default:"30s" placeholder:"TIME" help:"How long to wait; 30s where nothing is said."`
}

// Run returns once the daemon can serve.
func (c *waitCommand) Run(ctx context.Context, p *program) error {
	if c.Timeout <= 0 {
		return cli.UsageOf(errNotPositive, "")
	}
	w, err := p.parseWallet(c.Wallet)
	if err != nil {
		return err
	}
	s, err := p.slots(w.String())
	if err != nil {
		return err
	}
	if !p.known(s, w) {
		return &cli.Failure{
			Exit: words.ExitNoSession, Code: string(words.ResultNoSession), Hint: name + " recover " + w.String() + " --broker URL",
			Err: fmt.Errorf("wallet %s is not paired on this machine (%s)", w, s.Home()),
		}
	}
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	for {
		if done, err := p.isReady(ctx, s, w); done {
			return err
		}
		select {
		case <-ctx.Done():
			return &cli.Failure{
				Exit: words.ExitUnreachable, Code: "timeout", Hint: name + " status --wallet " + w.String(),
				Err: fmt.Errorf("the daemon of %s was not ready within %s", w, c.Timeout),
			}
		case <-time.After(waitPause):
		}
	}
}

// known reports whether the machine has a slot or a socket directory of w.
func (p *program) known(s *store.Store, w wallet.Wallet) bool {
	slots, err := s.List()
	if err != nil {
		return true // it may have one
	}
	for _, slot := range slots {
		if slot.ID == session.DaemonID(w) {
			return !slot.Tombstone
		}
	}
	for _, dir := range paths.SocketDirs(p.getenv, s.Home(), w) {
		if _, err := os.Stat(dir); err == nil || errors.Is(err, fs.ErrPermission) {
			return true
		}
	}
	return false
}

func (p *program) isReady(ctx context.Context, s *store.Store, w wallet.Wallet) (done bool, err error) {
	path, running := paths.FindSocket(p.getenv, s.Home(), w)
	if !running {
		if p.ended(ctx, s, w) != nil {
			return true, errRevoked(w)
		}
		return false, nil
	}
	client := localclient.New(path)
	if ready, err := client.Ready(ctx); err == nil && ready {
		return true, nil
	}
	if st, err := client.Status(ctx); err == nil && st.State == words.StateRevoked {
		return true, errRevoked(w)
	}
	return false, nil
}

func errRevoked(w wallet.Wallet) error {
	return &cli.Failure{
		Exit: words.ExitDenied, Code: "session_revoked", Hint: name + " recover " + w.String() + " --broker URL",
		Err: errors.New("the owner revoked this agent"),
	}
}
