package main

import (
	"context"
	"errors"
	"flag"
	"os/user"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/agentkeys/agentkeys/internal/condition"
	"github.com/agentkeys/agentkeys/internal/paths"
	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/store"
	"github.com/agentkeys/agentkeys/internal/wallet"
)

// stateNotRunning is what `status` says where only the slot can be looked at.
const stateNotRunning = "not_running"

type statusCommand struct{ wallet string }

func (c *statusCommand) define(fs *flag.FlagSet) {
	fs.StringVar(&c.wallet, "wallet", "", "the agent to ask about, `0x..`; otherwise all of this machine")
}

// run prints one status a wallet, as a line of JSON or for people.
func (c *statusCommand) run(ctx context.Context, p *program) error {
	s, err := p.slots()
	if err != nil {
		return err
	}
	wallets, err := c.wallets(p, s)
	if err != nil {
		return err
	}
	exit := exitOK
	for _, w := range wallets {
		code, err := p.status(ctx, s, w)
		if err != nil && len(wallets) > 1 && ctx.Err() == nil {
			f := classify(err) // the others are told too
			code, err = f.exit, p.printStatus(failed(w, stateNotRunning, f), -1)
		}
		if err != nil {
			return err
		}
		exit = max(exit, code)
	}
	return outcome(exit)
}

// slots is the store for commands that only look at directories.
func (p *program) slots() (*store.Store, error) {
	set, _, err := p.loadSettings("")
	if err != nil {
		return nil, err
	}
	log := p.quietLogger(set)
	set.SessionStore = store.ModeFile
	s, err := p.openStore(set, log, nil)
	if err != nil {
		return nil, err
	}
	return s.Store, nil
}

func (c *statusCommand) wallets(p *program, s *store.Store) ([]wallet.Wallet, error) {
	if c.wallet != "" {
		w, err := p.parseWallet(c.wallet)
		return []wallet.Wallet{w}, err
	}
	all, err := agents(s)
	if err != nil {
		return nil, err
	}
	all = append(all, paths.FindSockets(p.getenv, s.Home())...)
	slices.SortFunc(all, func(a, b wallet.Wallet) int { return strings.Compare(a.String(), b.String()) })
	all = slices.Compact(all)
	if len(all) == 0 {
		_, err := onlyAgent(s)
		return nil, err
	}
	return all, nil
}

// status prints what one daemon says and returns the exit code.
func (p *program) status(ctx context.Context, s *store.Store, w wallet.Wallet) (int, error) {
	path, running := paths.FindSocket(p.getenv, s.Home(), w)
	if !running {
		return p.slotStatus(ctx, s, w)
	}
	st, ready, err := ask(ctx, path, w)
	if err != nil {
		exit, st := p.silent(path, w, err)
		return exit, p.printStatus(st, paths.Owner(path))
	}
	exit := exitFault
	switch {
	case st.State == "revoked":
		exit = exitDenied
	case ready:
		exit = exitOK
	}
	return exit, p.printStatus(st, paths.Owner(path))
}

// slotStatus tells of a wallet whose daemon does not run.
func (p *program) slotStatus(ctx context.Context, s *store.Store, w wallet.Wallet) (int, error) {
	slots, err := s.List()
	if err != nil {
		return 0, err
	}
	for _, slot := range slots {
		if slot.ID != session.DaemonID(w) || slot.Tombstone {
			continue
		}
		return exitUnreachable, p.printStatus(offlineStatus(ctx, s, slot, w), paths.Owner(slot.Dir))
	}
	return 0, &failure{
		exit: exitNoSession, code: "no_session", hint: name + " recover " + w.String() + " --broker URL",
		err: errors.New("wallet " + w.String() + " is not paired on this machine"),
	}
}

// offlineStatus is what the slot's directory tells. The keychain is not asked: a
// session that lies there is not shown.
func offlineStatus(ctx context.Context, s *store.Store, slot store.Slot, w wallet.Wallet) protocol.Status {
	st := protocol.Status{
		Wallet: w, State: stateNotRunning, Sync: protocol.StatusSync{AgeSeconds: -1},
		Storage:    protocol.StatusStorage{Backend: string(slot.Backend), KeychainState: ""},
		Conditions: []protocol.StatusCondition{},
	}
	v, info, err := s.Load(ctx, slot.ID)
	switch {
	case err == nil:
		st.Session = &protocol.StatusSession{Scope: v.Scope, CreatedAt: v.CreatedAt, ExpiresAt: v.ExpiresAt(), Generation: info.Generation}
	case errors.Is(err, store.ErrUnavailable):
		if userName(paths.Owner(slot.Dir)) == paths.PackageUser {
			st.Conditions = append(st.Conditions, protocol.StatusCondition{
				Code: string(condition.KeychainUnavailable), Severity: string(condition.Warning), Hint: hintRecover(w),
				Message: "the session lies in a keychain, and " + paths.PackageUser + " has none",
			})
		}
	default:
		f := classify(err)
		st.Conditions = append(st.Conditions, protocol.StatusCondition{Code: f.code, Severity: "error", Message: err.Error(), Hint: f.hint})
	}
	return st
}

// hintRecover is for a session in a keychain that the units' user, who has none, is to read.
func hintRecover(w wallet.Wallet) string {
	return "sudo " + name + " recover " + w.String() + " --broker URL"
}

// instanceStatus is what `status --json` prints: what the daemon says, and whose it is.
type instanceStatus struct {
	protocol.Status
	User string `json:"user"` // as whom the daemon runs; empty: not known
}

// printStatus tells of one instance, whose slot or socket belongs to uid.
func (p *program) printStatus(st protocol.Status, uid int) error {
	name := userName(uid)
	if p.flags.JSON {
		return p.writeJSON(instanceStatus{st, name})
	}
	p.printf("%s\n  state    %s\n", st.Wallet.Display(), st.State)
	if st.Session != nil {
		p.printf("  scope    %s\n  expires  %s\n", st.Session.Scope, time.Unix(st.Session.ExpiresAt, 0).UTC().Format(time.RFC3339))
	}
	if st.State != stateNoAnswer {
		p.printf("  session  in the %s, keychain %s\n", st.Storage.Backend, orNone(st.Storage.KeychainState))
	}
	if name != "" && name != paths.PackageUser { // of whom there is no program but daemons
		p.printf("  user     %s: every program of %s can read this wallet\n", name, name)
	}
	if st.Sync.AgeSeconds >= 0 {
		p.printf("  synced   %s ago\n", time.Duration(st.Sync.AgeSeconds)*time.Second)
	}
	for _, c := range st.Conditions {
		p.printf("  %s  %s: %s\n", c.Severity, c.Code, c.Message)
		if c.Hint != "" {
			p.printf("           try: %s\n", c.Hint)
		}
	}
	return nil
}

// userName is empty for a number that names nobody.
func userName(uid int) string {
	u, err := user.LookupId(strconv.Itoa(uid))
	if err != nil {
		return ""
	}
	return u.Username
}

func orNone(text string) string {
	if text == "" {
		return "not looked at"
	}
	return text
}
