package main

import (
	"errors"
	"strings"

	"github.com/agentkeys/agentkeys/internal/cli"
	"github.com/agentkeys/agentkeys/internal/owner"
	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/wallet"
)

// errKept: the person answered no, and nothing was changed.
var errKept = errors.New("nothing was changed")

type revokeCmd struct {
	target

	Yes      bool `help:"Do not ask."`
	WipeKeys bool `help:"Your own session: take the owner's keys off this machine too; only the recovery key brings them back."`
}

// Run ends an agent's session, or the owner's own.
func (c revokeCmd) Run(a *app) error {
	defer a.interruptible()()
	identity, err := c.named()
	if err != nil {
		return err
	}
	if identity != "" && c.WipeKeys {
		return cli.Usage("--wipe-keys is for your own session", "agentkeys revoke --help")
	}
	if identity != "" {
		if err := a.canAsk(c.Yes, "agentkeys revoke "+identity+" --yes"); err != nil {
			return err
		}
	}
	o, err := a.owner()
	if err != nil {
		return err
	}
	if identity == "" {
		return c.revokeOwn(a, o)
	}
	w, err := o.Resolve(a.ctx, identity)
	if err != nil {
		return err
	}
	if err := a.sure(c.Yes, "End the session of "+subject(identity, w)+"? Its board is then recovered or paired anew."); err != nil {
		return err
	}
	w, err = o.Revoke(a.ctx, w.String())
	if err != nil {
		return err
	}
	return a.print(map[string]string{"wallet": w.String(), "state": protocol.AgentRevoked}, "revoked %s", subject(identity, w))
}

func (c revokeCmd) revokeOwn(a *app, o *owner.Owner) error {
	if err := a.sure(c.Yes, "End your own session on this machine?"); err != nil {
		return err
	}
	w := o.Wallet()
	if err := o.End(a.ctx, c.WipeKeys); err != nil {
		return err
	}
	return a.print(map[string]string{"wallet": w.String(), "state": protocol.AgentRevoked}, "ended the session of %s", w.String())
}

// subject describes an agent in a question: what was typed, and its wallet.
func subject(identity string, w wallet.Wallet) string {
	if strings.HasPrefix(strings.ToLower(identity), "0x") {
		return w.String()
	}
	return identity + " (" + w.String() + ")"
}

// canAsk refuses a command that has to ask where there is no terminal to ask at. hint is the command
// that does not ask.
func (a *app) canAsk(yes bool, hint string) error {
	if _, person := a.terminal(); yes || person {
		return nil
	}
	return cli.Usage("there is no terminal to ask at, so --yes is required", hint)
}

// sure asks for confirmation, unless yes is set.
func (a *app) sure(yes bool, question string) error {
	if yes {
		return nil
	}
	agreed, err := a.confirm(question)
	if err == nil && !agreed {
		err = errKept
	}
	return err
}

type teardownCmd struct {
	target

	Yes bool `help:"Do not ask."`
}

// Run ends an agent and removes everything that it has.
func (c teardownCmd) Run(a *app) error {
	defer a.interruptible()()
	identity, err := c.needed("agentkeys teardown --help")
	if err != nil {
		return err
	}
	o, err := a.owner()
	if err != nil {
		return err
	}
	w, err := o.Resolve(a.ctx, identity)
	if err != nil {
		return err
	}
	if err := a.sure(c.Yes, "End "+subject(identity, w)+" for good, with its credentials?"); err != nil {
		return err
	}
	if _, err := o.Teardown(a.ctx, w.String()); err != nil {
		return err
	}
	return a.print(map[string]string{"wallet": w.String(), "state": "torn_down"}, "tore down %s", subject(identity, w))
}

type reopenCmd struct {
	target

	All bool `help:"Every agent whose session lapsed."`
}

// Run reactivates lapsed agents.
func (c reopenCmd) Run(a *app) error {
	defer a.interruptible()()
	identity, err := c.named()
	if err != nil {
		return err
	}
	if (identity == "") != c.All {
		return cli.Usage("name one agent, or give --all", "agentkeys reopen --help")
	}
	o, err := a.owner()
	if err != nil {
		return err
	}
	opened, err := o.Reopen(a.ctx, identity)
	if err != nil {
		return err
	}
	return a.print(map[string]any{"reopened": opened}, "reopened %d", len(opened))
}
