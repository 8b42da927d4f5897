package main

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/agentkeys/agentkeys/internal/cli"
	"github.com/agentkeys/agentkeys/internal/doctor"
	"github.com/agentkeys/agentkeys/internal/owner"
	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/scope"
	"github.com/agentkeys/agentkeys/internal/seal"
	"github.com/agentkeys/agentkeys/internal/wallet"
)

// agentEntry is one element of `agents --json`.
type agentEntry struct {
	agentLine
	State          string `json:"state"`
	LastSeen       int64  `json:"last_seen"`
	Host           string `json:"host"`
	Version        string `json:"version"`
	StorageBackend string `json:"storage_backend"`
	KeychainState  string `json:"keychain_state"`
	OfflineTTL     int64  `json:"offline_ttl"` // seconds, as the owner signed it
}

func walletText(w wallet.Wallet) string {
	if w.IsZero() {
		return "-"
	}
	return w.String()
}

type agentsCmd struct {
	cli.Colour

	Action     string  `arg:"" optional:"" help:"set changes an agent; without it the agents are listed."`
	Identity   string  `arg:"" optional:"" help:"The agent that is changed."`
	OfflineTTL *string `help:"How long it may serve without the broker, as 36h or 7d; 0: never." placeholder:"DURATION" name:"offline-ttl"`
}

const hintAgentsSet = "agentkeys agents set IDENTITY --offline-ttl DURATION"

// Run lists the agents, or changes one.
func (c agentsCmd) Run(a *app) error {
	defer a.interruptible()()
	switch {
	case c.Action == "" && c.OfflineTTL == nil:
		return c.list(a)
	case c.Action != "set" || c.Identity == "" || c.OfflineTTL == nil:
		return cli.Usage("name the agent and what is set", hintAgentsSet)
	}
	ttl, err := offlineTTL(*c.OfflineTTL)
	if err != nil {
		return err
	}
	o, err := a.owner()
	if err != nil {
		return err
	}
	m, err := o.SetOfflineTTL(a.ctx, c.Identity, ttl)
	if err != nil {
		return err
	}
	out := struct {
		agentLine
		OfflineTTL int64 `json:"offline_ttl"`
	}{lineOf(m), m.OfflineTTL}
	if m.OfflineTTL == 0 {
		return a.print(out, "%s serves nothing without the broker", named(m))
	}
	return a.print(out, "%s serves for %s without the broker", named(m), time.Duration(m.OfflineTTL)*time.Second)
}

// offlineTTL reads a duration as Go writes it, or whole days.
func offlineTTL(text string) (time.Duration, error) {
	wrong := cli.Usage(fmt.Sprintf("--offline-ttl %.40q: a duration of whole seconds from 0 to 366 days, as 36h or 7d", text), hintAgentsSet)
	var ttl time.Duration
	if days, ok := strings.CutSuffix(text, "d"); ok {
		n, err := strconv.ParseUint(days, 10, 16)
		if err != nil {
			return 0, wrong
		}
		ttl = time.Duration(n) * 24 * time.Hour
	} else {
		var err error
		if ttl, err = time.ParseDuration(text); err != nil {
			return 0, wrong
		}
	}
	if ttl < 0 || ttl > seal.MaxOfflineTTL*time.Second || ttl%time.Second != 0 {
		return 0, wrong
	}
	return ttl, nil
}

// list shows the agents. Alias and scope are from the manifests that the owner signed.
func (c agentsCmd) list(a *app) error {
	o, err := a.owner()
	if err != nil {
		return err
	}
	agents, err := o.Agents(a.ctx)
	if err != nil {
		return err
	}
	if o.ClockHeld(a.ctx) {
		a.warn("the broker's clock jumped: no session lapses and no unused approval ends until a person accepts it. " + doctor.HintBrokerClock)
	}
	list := []agentEntry{}
	for _, g := range agents {
		list = append(list, agentEntry{
			agentLine: lineOf(g.Manifest), State: g.Seen.State, LastSeen: g.Seen.LastSeen, Host: g.Seen.Host,
			Version: g.Seen.Version, StorageBackend: g.Seen.StorageBackend, KeychainState: g.Seen.KeychainState,
			OfflineTTL: g.Manifest.OfflineTTL,
		})
	}
	return a.table(list, agentColumns(c.PaintFor(a.stdout.Raw(), a.getenv)), agentRows(agents, time.Now()))
}

func agentColumns(paint cli.Paint) []cli.Column {
	state := func(cell string) string {
		switch cell {
		case protocol.AgentOnline:
			return paint.Good(cell)
		case protocol.AgentParked, protocol.AgentLapsed, protocol.AgentRevoked:
			return paint.Bad(cell)
		}
		return paint.Warn(cell)
	}
	return []cli.Column{
		{Title: "ALIAS", Min: 12}, {Title: "STATE", Paint: state}, {Title: "SEEN"}, {Title: "SCOPE", Min: 12}, {Title: "HOST", Min: 8},
		{Title: "STORED IN", Drop: 1}, {Title: "VERSION", Drop: 2}, {Title: "WALLET", Drop: 3},
	}
}

// agentRows are the lines for people. Agents that need attention come first.
func agentRows(agents []owner.Agent, now time.Time) [][]string {
	sorted := slices.SortedStableFunc(slices.Values(agents), func(a, b owner.Agent) int {
		return cli.Worst(a.Seen.State, b.Seen.State,
			protocol.AgentParked, protocol.AgentLapsed, protocol.AgentOffline, protocol.AgentNeverSeen, protocol.AgentOnline)
	})
	var rows [][]string
	for _, g := range sorted {
		m := g.Manifest
		rows = append(rows, []string{
			cmp.Or(m.Alias, m.Wallet.String()), g.Seen.State, ago(g.Seen.LastSeen, now), m.Scope.String(), g.Seen.Host,
			g.Seen.StorageBackend, g.Seen.Version, m.Wallet.String(),
		})
	}
	return rows
}

type scopeCmd struct {
	target

	Set    *string `help:"Exactly these: a,b, all or none." xor:"change" placeholder:"SCOPE"`
	Add    *string `help:"These too." xor:"change" placeholder:"SCOPE"`
	Remove *string `help:"These no more." xor:"change" placeholder:"SCOPE"`
}

// Run shows or changes a scope. Records that come into it or leave it are sealed again.
func (c scopeCmd) Run(a *app) error {
	defer a.interruptible()()
	identity, err := c.named()
	if err != nil {
		return err
	}
	change, err := c.change(identity)
	if err != nil {
		return err
	}
	o, err := a.owner()
	if err != nil {
		return err
	}
	if change != nil {
		m, err := o.SetScope(a.ctx, identity, change)
		if err != nil {
			return err
		}
		return a.print(lineOf(m), "%s", m.Scope)
	}
	w, err := o.Resolve(a.ctx, identity)
	if err != nil {
		return err
	}
	m, err := o.Manifest(a.ctx, w)
	if err != nil {
		return err
	}
	return a.print(lineOf(m), "%s", m.Scope)
}

// change is nil if the scope is only to be shown.
func (c scopeCmd) change(identity string) (owner.ScopeChange, error) {
	for _, way := range []struct {
		text *string
		make func(scope.Scope) owner.ScopeChange
	}{{c.Set, owner.ReplaceScope}, {c.Add, owner.WidenScope}, {c.Remove, owner.NarrowScope}} {
		if way.text == nil {
			continue
		}
		if identity == "" {
			return nil, cli.Usage("your own wallet always has everything: name an agent", "agentkeys scope --help")
		}
		s, err := scope.Parse(*way.text)
		return way.make(s), err
	}
	return nil, nil
}

type linkCmd struct {
	target

	Alias string `help:"Its new alias." placeholder:"NAME"`
	Email string `help:"One more e-mail address." placeholder:"ADDRESS"`
}

// Run signs a manifest with the new names.
func (c linkCmd) Run(a *app) error {
	defer a.interruptible()()
	identity, err := c.needed("agentkeys link --help")
	if err != nil {
		return err
	}
	if c.Alias == "" && c.Email == "" {
		return cli.Usage("give --alias or --email", "agentkeys link --help")
	}
	o, err := a.owner()
	if err != nil {
		return err
	}
	m, err := o.Link(a.ctx, identity, owner.Link{Alias: c.Alias, Email: c.Email})
	if err != nil {
		return err
	}
	return a.print(struct {
		Wallet string   `json:"wallet"`
		Alias  string   `json:"alias"`
		Emails []string `json:"emails"`
	}{m.Wallet.String(), m.Alias, m.Emails}, "linked %s", named(m))
}
