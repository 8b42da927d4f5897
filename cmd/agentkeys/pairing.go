package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/agentkeys/agentkeys/internal/cli"
	"github.com/agentkeys/agentkeys/internal/display"
	"github.com/agentkeys/agentkeys/internal/owner"
	"github.com/agentkeys/agentkeys/internal/pairing"
	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/scope"
	"github.com/agentkeys/agentkeys/internal/seal"
)

// errNotApproved: the person answered no; nothing was sent, and the code is still valid.
var errNotApproved = errors.New("not approved; nothing was sent")

type approveCmd struct {
	Code  string  `arg:"" help:"What the board shows, like K7QF-2M9X-RT4B."`
	Alias *string `help:"Name for the new agent; default: what the board asks for." placeholder:"NAME"`
	Scope *string `help:"What the new agent may have: a,b, all or none; default: what the board asks for." placeholder:"SCOPE"`
	Agent string  `help:"The agent that this board shall be again (recovery)." placeholder:"IDENTITY"`
	Yes   bool    `help:"Do not ask; needs --scope for a new agent, --agent for a recovery."`
}

// agentLine is one agent as scripts read it after a change.
type agentLine struct {
	Wallet string      `json:"wallet"`
	Alias  string      `json:"alias"`
	Scope  scope.Scope `json:"scope"`
}

func lineOf(m seal.Manifest) agentLine {
	return agentLine{Wallet: m.Wallet.String(), Alias: m.Alias, Scope: m.Scope}
}

// Run shows what the board asks for and grants it if the person confirms.
func (c approveCmd) Run(a *app) error {
	defer a.interruptible()()
	code, want, err := c.parse()
	if err != nil {
		return err
	}
	o, err := a.owner()
	if err != nil {
		return err
	}
	p, err := o.Find(a.ctx, code)
	if err != nil {
		return err
	}
	if err := c.checkKind(a, o, p); err != nil {
		return err
	}
	d := c.decision(p, want)
	if err := c.ask(a, p, d); err != nil {
		return err
	}
	m, err := o.Approve(a.ctx, p, d)
	if err != nil {
		return err
	}
	return a.print(lineOf(m), "approved %s, scope %s", named(m), m.Scope)
}

// named describes an agent to people: its alias, if it has one, and its wallet.
func named(m seal.Manifest) string {
	if m.Alias == "" {
		return m.Wallet.String()
	}
	return m.Alias + " (" + m.Wallet.String() + ")"
}

// parse checks everything that can be checked before a request is sent.
func (c approveCmd) parse() (pairing.Code, *scope.Scope, error) {
	code, err := pairing.ParseCode(c.Code)
	if err != nil {
		return code, nil, err
	}
	if c.Agent != "" && (c.Scope != nil || c.Alias != nil) {
		return code, nil, cli.Usage("--agent is for a recovery, which keeps its scope and alias", "")
	}
	if c.Yes && c.Scope == nil && c.Agent == "" {
		return code, nil, cli.Usage("--yes needs --scope for a new agent, or --agent IDENTITY for a recovery", "")
	}
	if c.Alias != nil && *c.Alias != "" {
		if err := seal.CheckAlias(*c.Alias); err != nil {
			return code, nil, err
		}
	}
	if c.Scope == nil {
		return code, nil, nil
	}
	s, err := scope.Parse(*c.Scope)
	return code, &s, err
}

// checkKind refuses a request of the other kind than the flags are for.
func (c approveCmd) checkKind(a *app, o *owner.Owner, p *owner.Proposal) error {
	recovery := p.Request.Kind == pairing.KindRecover
	switch {
	case recovery && (c.Scope != nil || c.Alias != nil):
		return fmt.Errorf("the board asks for a recovery of %s, which keeps its scope and alias: %w", p.Wallet.String(), owner.ErrKind)
	case !recovery && c.Agent != "":
		return fmt.Errorf("the board asks to become a new agent, not %s: %w", c.Agent, owner.ErrKind)
	case !recovery || c.Agent == "":
		return nil
	}
	w, err := o.Resolve(a.ctx, c.Agent)
	if err == nil && w != p.Wallet {
		return fmt.Errorf("the board asks to be %s, not %s: %w", p.Wallet.String(), w.String(), owner.ErrKind)
	}
	return err
}

func (c approveCmd) decision(p *owner.Proposal, want *scope.Scope) owner.Decision {
	d := owner.Decision{Alias: p.Request.Alias, Scope: p.Request.RequestedScope}
	if p.Request.Kind == pairing.KindRecover {
		return owner.Decision{Alias: p.Current.Alias, Scope: p.Current.Scope}
	}
	if c.Alias != nil {
		d.Alias = *c.Alias
	}
	if want != nil {
		d.Scope = *want
	}
	return d
}

// ask shows what will be granted, on standard error, and waits for the answer.
func (c approveCmd) ask(a *app, p *owner.Proposal, d owner.Decision) error {
	if c.Yes {
		return nil
	}
	kind := "a new agent"
	if p.Request.Kind == pairing.KindRecover {
		kind = "recovery of " + p.Wallet.String()
	}
	lines := []string{
		"kind   " + kind, "host   " + display.Line(p.Request.Host), "from   " + display.Line(p.Address), "alias  " + d.Alias,
		"scope  " + d.Scope.String(), "age    " + p.Age.Round(time.Second).String(),
	}
	if _, err := fmt.Fprintln(a.stderr, strings.Join(lines, "\n")); err != nil {
		return err
	}
	yes, err := a.confirm("Approve?")
	if err == nil && !yes {
		err = errNotApproved
	}
	return err
}

type denyCmd struct {
	Code string `arg:"" help:"What the board shows."`
}

// Run denies the request. The board believes it because the code was typed.
func (c denyCmd) Run(a *app) error {
	defer a.interruptible()()
	code, err := pairing.ParseCode(c.Code)
	if err != nil {
		return err
	}
	o, err := a.owner()
	if err != nil {
		return err
	}
	p, err := o.Deny(a.ctx, code)
	if err != nil {
		return err
	}
	return a.print(map[string]string{"kind": p.Request.Kind, "host": p.Request.Host}, "denied the board %s", display.Line(p.Request.Host))
}

type pairingsCmd struct{}

// Run lists what was decided, newest first.
func (pairingsCmd) Run(a *app) error {
	defer a.interruptible()()
	o, err := a.owner()
	if err != nil {
		return err
	}
	list, err := o.Pairings(a.ctx)
	if err != nil {
		return err
	}
	return a.showPairings(list)
}

// showPairings says when the broker may know older ones.
func (a *app) showPairings(list []protocol.PairingEntry) error {
	if len(list) >= protocol.MaxPairingList {
		a.note("these are the newest %d; agentkeys usage --all --action pairing_approved shows every one", len(list))
	}
	var rows [][]string
	for _, p := range list {
		rows = append(rows, []string{ago(p.Time, time.Now()), p.Kind, p.State, p.Alias, p.Host, walletText(p.Wallet)})
	}
	if list == nil {
		list = []protocol.PairingEntry{}
	}
	return a.table(list, []cli.Column{
		{Title: "WHEN"}, {Title: "KIND"}, {Title: "STATE"}, {Title: "ALIAS", Min: 12}, {Title: "HOST", Drop: 1}, {Title: "WALLET", Drop: 2},
	}, rows)
}
