package main

import (
	"context"
	"errors"
	"os"
	"os/user"
	"slices"
	"strconv"
	"strings"

	"github.com/agentkeys/agentkeys/internal/cli"
	"github.com/agentkeys/agentkeys/internal/health/condition"
	"github.com/agentkeys/agentkeys/internal/paths"
	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/store"
	"github.com/agentkeys/agentkeys/internal/wallet"
	"github.com/agentkeys/agentkeys/internal/words"
)

type statusCommand struct {
	walletsFlag
	cli.Colour
}

// lookedAt is the status of one wallet, whose slot or socket belongs to uid; -1: that is not known.
type lookedAt struct {
	status protocol.Status
	uid    int
	exit   int // of `status` for this wallet alone
}

// Run prints the status of each wallet, as a line of JSON or for people.
func (c *statusCommand) Run(ctx context.Context, p *program) error {
	named, err := c.named(p)
	if err != nil {
		return err
	}
	s, err := p.slots(named)
	if err != nil {
		return err
	}
	wallets, err := c.wallets(p, s)
	if err != nil {
		return err
	}
	exit := words.ExitOK
	var all []lookedAt
	for _, w := range wallets {
		i, err := p.status(ctx, s, w)
		if err != nil && len(wallets) > 1 && ctx.Err() == nil {
			f := failureOf(err) // the others are printed nevertheless
			i, err = lookedAt{failed(w, words.StateNotRunning, f), -1, f.Exit}, nil
		}
		if err != nil {
			return err
		}
		i.status.Conditions = p.typed(shown(i.status.Conditions), i.status.Broker)
		all, exit = append(all, i), max(exit, i.exit)
	}
	if err := p.printStatuses(all, c.PaintFor(p.stdout.Raw(), p.getenv)); err != nil {
		return err
	}
	return cli.Exit(exit)
}

// slots is the store for commands that only look at directories. It reports mistakes in the settings
// of w, with which a daemon would not start; with an empty w those in the common settings.
func (p *program) slots(w string) (*store.Store, error) {
	set, _, err := p.loadSettings(w)
	if err != nil {
		return nil, err
	}
	log := p.quietLogger(set)
	set.SessionStore = words.ModeFile
	s, err := p.openStore(set, log, nil)
	if err != nil {
		return nil, err
	}
	return s.Store, nil
}

// named is the wallet that was typed; empty: none was.
func (c *statusCommand) named(p *program) (string, error) {
	if c.Wallet == "" {
		return "", nil
	}
	w, err := p.parseWallet(c.Wallet)
	return w.String(), err
}

func (c *statusCommand) wallets(p *program, s *store.Store) ([]wallet.Wallet, error) {
	if c.Wallet != "" {
		w, err := p.parseWallet(c.Wallet)
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

// status is the status of one daemon.
func (p *program) status(ctx context.Context, s *store.Store, w wallet.Wallet) (lookedAt, error) {
	if _, _, err := p.loadSettings(w.String()); err != nil {
		return lookedAt{}, err
	}
	path, running := paths.FindSocket(p.getenv, s.Home(), w)
	if !running {
		return p.slotStatus(ctx, s, w)
	}
	st, ready, err := ask(ctx, path, w)
	if err != nil {
		exit, st := silent(path, w, err)
		return lookedAt{st, paths.Owner(path), exit}, nil
	}
	st.Conditions = here(st.Conditions, s.Dir(session.DaemonID(w)))
	exit := words.ExitFault
	switch {
	case st.State == words.StateRevoked:
		exit = words.ExitDenied
	case ready:
		exit = words.ExitOK
	}
	return lookedAt{st, paths.Owner(path), exit}, nil
}

// slotStatus describes a wallet whose daemon does not run.
func (p *program) slotStatus(ctx context.Context, s *store.Store, w wallet.Wallet) (lookedAt, error) {
	slots, err := s.List()
	if err != nil {
		return lookedAt{}, err
	}
	for _, slot := range slots {
		if slot.ID != session.DaemonID(w) || slot.Tombstone {
			continue
		}
		st := offlineStatus(ctx, s, slot, w)
		if st.Broker, err = p.brokerOf(ctx, s, w); err != nil {
			f := failureOf(err)
			st.Conditions = append(st.Conditions, protocol.StatusCondition{Code: f.Code, Severity: "error", Message: err.Error(), Hint: f.Hint})
		}
		if h := p.holder(s, w); h.Seen() {
			st.State = words.StateNoAnswer
			st.Conditions = append(st.Conditions, protocol.StatusCondition{
				Code: codeDaemonAway, Severity: string(condition.Error), Hint: h.Restart(os.Geteuid()),
				Message: "a daemon holds the slot (" + h.String() + "), and its socket is nowhere that this environment names",
			})
		}
		exit := words.ExitUnreachable
		if ended := p.ended(ctx, s, w); ended != nil {
			exit = words.ExitDenied
			revoke(&st, ended, s.Home())
		}
		return lookedAt{st, paths.Owner(slot.Dir), exit}, nil
	}
	if path := closedSocket(paths.SocketDirs(p.getenv, s.Home(), w)); path != "" {
		f := &cli.Failure{Code: protocol.CodeDenied, Hint: "sudo " + name + " status --wallet " + w.String(), Err: errors.New(path + " is closed to this user")}
		return lookedAt{failed(w, words.StateNoAnswer, f), -1, words.ExitDenied}, nil
	}
	return lookedAt{}, &cli.Failure{
		Exit: words.ExitNoSession, Code: string(words.ResultNoSession), Hint: name + " recover " + w.String() + " --broker URL",
		Err: errors.New("wallet " + w.String() + " is not paired on this machine (" + s.Home() + ")"),
	}
}

// brokerOf is the broker that a daemon of w would use if it were started from here. A session that
// cannot be read names none.
func (p *program) brokerOf(ctx context.Context, s *store.Store, w wallet.Wallet) (protocol.StatusBroker, error) {
	set, origins, err := p.loadSettings(w.String())
	if err != nil {
		return protocol.StatusBroker{}, err
	}
	named := protocol.StatusBroker{URL: set.Broker, From: origins["broker"]}
	v, _, err := s.Peek(ctx, session.DaemonID(w))
	switch _, url := v.At(set.Broker); {
	case err == nil && url != set.Broker:
		named = protocol.StatusBroker{URL: url, From: protocol.BrokerOfSession}
	case set.Broker == "":
		named = protocol.StatusBroker{}
	}
	return named, nil
}

// offlineStatus is what the slot's directory tells. The keychain is not used, so a session in the
// keychain is not shown.
func offlineStatus(ctx context.Context, s *store.Store, slot store.Slot, w wallet.Wallet) protocol.Status {
	st := protocol.Status{
		Wallet: w, State: words.StateNotRunning, Sync: protocol.StatusSync{AgeSeconds: -1},
		Storage:    protocol.StatusStorage{Backend: slot.Backend, KeychainState: ""},
		Conditions: []protocol.StatusCondition{},
	}
	v, info, err := s.Peek(ctx, slot.ID)
	switch {
	case err == nil:
		st.Session = &protocol.StatusSession{Scope: v.Scope, CreatedAt: v.CreatedAt, ExpiresAt: v.ExpiresAt(), Generation: info.Generation}
		st.Conditions = append(st.Conditions, insecureFiles(s, slot.ID)...)
	case errors.Is(err, store.ErrUnavailable):
		if userName(paths.Owner(slot.Dir)) == paths.PackageUser {
			st.Conditions = append(st.Conditions, protocol.StatusCondition{
				Code: string(condition.KeychainUnavailable), Severity: string(condition.Warning), Hint: hintRecover(w),
				Message: "the session lies in a keychain, and " + paths.PackageUser + " has none",
			})
		}
	default:
		f := failureOf(err)
		hint := strings.ReplaceAll(f.Hint, "WALLET", w.String())
		if paths.UnitsHome(s.Home()) {
			hint = condition.AsRoot(hint)
		}
		st.Conditions = append(st.Conditions, protocol.StatusCondition{Code: f.Code, Severity: "error", Message: err.Error(), Hint: hint})
	}
	return st
}

// hintRecover is for a session in a keychain that the units' user, who has no keychain, cannot read.
func hintRecover(w wallet.Wallet) string {
	return "sudo " + name + " recover " + w.String() + " --broker URL"
}

// userName is the user's name, empty if no user has that number.
func userName(uid int) string {
	u, err := user.LookupId(strconv.Itoa(uid))
	if err != nil {
		return ""
	}
	return u.Username
}
