package main

import (
	"errors"

	"github.com/agentkeys/agentkeys/internal/owner"
	"github.com/agentkeys/agentkeys/internal/protocol"
)

// errKept: the person said no; everything is as it was.
var errKept = errors.New("nothing was changed")

type revokeCmd struct {
	Identity string `arg:"" optional:"" help:"Wallet, alias or e-mail address of an agent; none: your own session."`
	Yes      bool   `help:"Do not ask."`
	WipeKeys bool   `help:"Your own session: take the owner's keys off this machine too; only the recovery key brings them back."`
}

// Run ends an agent's session, or the own one.
func (c revokeCmd) Run(a *app) error {
	defer a.interruptible()()
	if c.Identity != "" && c.WipeKeys {
		return usageError{message: "--wipe-keys is for your own session"}
	}
	o, err := a.owner()
	if err != nil {
		return err
	}
	if c.Identity == "" {
		return c.revokeOwn(a, o)
	}
	w, err := o.Revoke(a.ctx, c.Identity)
	if err != nil {
		return err
	}
	return a.print(map[string]string{"wallet": w.String(), "state": protocol.AgentRevoked}, "revoked %s", w.Display())
}

func (c revokeCmd) revokeOwn(a *app, o *owner.Owner) error {
	if err := a.sure(c.Yes, "End your own session on this machine?"); err != nil {
		return err
	}
	w := o.Wallet()
	if err := o.End(a.ctx, c.WipeKeys); err != nil {
		return err
	}
	return a.print(map[string]string{"wallet": w.String(), "state": protocol.AgentRevoked}, "ended the session of %s", w.Display())
}

// sure asks, unless told not to.
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
	Identity string `arg:"" help:"Wallet, alias or e-mail address of the agent."`
	Yes      bool   `help:"Do not ask."`
}

// Run ends an agent with everything it has.
func (c teardownCmd) Run(a *app) error {
	defer a.interruptible()()
	o, err := a.owner()
	if err != nil {
		return err
	}
	w, err := o.Resolve(a.ctx, c.Identity)
	if err != nil {
		return err
	}
	if err := a.sure(c.Yes, "End "+w.Display()+" for good, with its credentials?"); err != nil {
		return err
	}
	if _, err := o.Teardown(a.ctx, w.String()); err != nil {
		return err
	}
	return a.print(map[string]string{"wallet": w.String(), "state": "torn_down"}, "tore down %s", w.Display())
}

type reopenCmd struct {
	Identity string `arg:"" optional:"" help:"Wallet, alias or e-mail address of the agent."`
	All      bool   `help:"Every agent whose session lapsed."`
}

// Run lets lapsed agents go on.
func (c reopenCmd) Run(a *app) error {
	defer a.interruptible()()
	if (c.Identity == "") != c.All {
		return usageError{message: "name one agent, or give --all", hint: "agentkeys reopen IDENTITY"}
	}
	o, err := a.owner()
	if err != nil {
		return err
	}
	opened, err := o.Reopen(a.ctx, c.Identity)
	if err != nil {
		return err
	}
	return a.print(map[string]any{"reopened": opened}, "reopened %d", len(opened))
}
