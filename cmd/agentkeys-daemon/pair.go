package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/agentkeys/agentkeys/internal/agent/enroll"
	"github.com/agentkeys/agentkeys/internal/cli"
	"github.com/agentkeys/agentkeys/internal/doctor/checkup"
	"github.com/agentkeys/agentkeys/internal/pairing"
	"github.com/agentkeys/agentkeys/internal/paths"
	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/scope"
	"github.com/agentkeys/agentkeys/internal/seal"
	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/settings"
	"github.com/agentkeys/agentkeys/internal/store"
	"github.com/agentkeys/agentkeys/internal/wallet"
	"github.com/agentkeys/agentkeys/internal/words"
)

// How long a broker that does not answer the first request is tried.
const (
	patience        = 30 * time.Second
	patienceService = protocol.PairingLife * time.Second
)

var (
	errNoBroker = errors.New("no broker is named")
	// errOthersKeychain: the daemon, as its user, moves the session there when it starts.
	errOthersKeychain = errors.New("session_store is keychain, and root reaches no other user's")

	errCutOff = errors.New("interrupted: the code is still good, the same command goes on with it")
)

// wish is what the owner is asked to grant.
type wish struct {
	Alias string `placeholder:"NAME" help:"The name that the owner is asked to give."`
	Scope string `default:"none" placeholder:"LIST" help:"The services that the owner is asked for: a,b, all or none. Default: none."`
}

type pairCommand struct {
	wish
	placement
}

func (c *pairCommand) Run(ctx context.Context, p *program) error {
	request, err := c.request()
	if err != nil {
		return err
	}
	return p.pairPlaced(ctx, request, &c.placement)
}

type recoverCommand struct {
	Identity string `arg:"" help:"The agent: its wallet, alias or e-mail address."`

	placement
}

func (c *recoverCommand) Run(ctx context.Context, p *program) error {
	request, err := recoverRequest(c.Identity)
	if err != nil {
		return err
	}
	return p.pairPlaced(ctx, request, &c.placement)
}

func (c wish) request() (enroll.Request, error) {
	wish, err := scope.Parse(c.Scope)
	if err != nil {
		return enroll.Request{}, cli.UsageOf(err, "")
	}
	if c.Alias != "" {
		if err := seal.CheckAlias(c.Alias); err != nil {
			return enroll.Request{}, cli.UsageOf(err, "")
		}
	}
	return enroll.Request{Kind: pairing.KindPair, Alias: c.Alias, Scope: wish}, nil
}

// pair runs one pairing to its end and reports each step. u may be nil.
func (p *program) pair(ctx context.Context, r enroll.Request, wait time.Duration, u *unit) (enroll.Paired, error) {
	set, _, err := p.loadSettings("")
	if err != nil {
		return enroll.Paired{}, err
	}
	if set.Broker == "" {
		return enroll.Paired{}, cli.UsageOf(errNoBroker, name+" pair --broker https://HOST:8420")
	}
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	out, err := p.pairWith(ctx, set, r, wait, u)
	debug.FreeOSMemory() // the 32 MiB of scrypt
	say := p.announcer()
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		err = errCutOff
	}
	if err != nil {
		say.failed(p.told(err))
		return out, err
	}
	say.paired(out, u)
	p.noteOverruled(out.Wallet, set.Broker)
	return out, nil
}

// noteOverruled reports that the settings files of w name another broker than the one of the pairing.
// They override it, and the broker in the files does not know the agent.
func (p *program) noteOverruled(w wallet.Wallet, paired string) {
	set, origins, err := p.loadFiles(w.String())
	if err != nil || session.BrokerURL(set.Broker, paired) == paired {
		return
	}
	p.notef("%s names another broker, and wins: take `broker` out of it, or put the one of this pairing into %s",
		origins["broker"], filepath.Join(paths.ConfigDir(p.getenv), w.String()+".toml"))
}

func (p *program) pairWith(ctx context.Context, set settings.Settings, r enroll.Request, wait time.Duration, u *unit) (enroll.Paired, error) {
	log := p.quietLogger(set)
	client, err := pairBroker(set.Broker)
	if err != nil {
		return enroll.Paired{}, err
	}
	defer client.Close()
	s, err := p.openStore(set, log, nil)
	if err != nil {
		return enroll.Paired{}, err
	}
	if err := p.tryHome(s); err != nil {
		return enroll.Paired{}, err
	}
	if err := s.mayKeep(ctx); err != nil {
		return enroll.Paired{}, err
	}
	c := enroll.Config{
		Broker: client, URL: set.Broker, Store: s, Logger: log, Random: random,
		Host: hostName(), Machine: machineHash(), ShowCode: p.announcer().code, Patience: wait,
	}
	if u != nil {
		u.slots = s.Store
		c.Unit = u
	}
	return enroll.Pair(ctx, c, r)
}

// mayMake refuses to let root work in another user's home, which sudo has kept.
func (p *program) mayMake() error {
	err := paths.MayMake(p.getenv, os.Geteuid())
	var others *paths.OthersHomeError
	if errors.As(err, &others) {
		return cli.UsageOf(err, others.Command(p.getenv, p.args))
	}
	return err
}

// tryHome refuses to begin if the home's file system cannot keep a session, and warns of one that will
// not keep it for long.
func (p *program) tryHome(s *storage) error {
	if err := p.mayMake(); err != nil {
		return err
	}
	look, err := checkup.TryHome(s.Store, p.getenv)
	if err != nil && look.Hint != "" {
		return &cli.Failure{Exit: words.ExitFault, Code: "home_unfit", Hint: look.Hint, Err: err}
	}
	for _, text := range look.Warnings {
		p.announcer().warn(text)
	}
	return err
}

// mayKeep refuses to begin if the session could not be stored at the end: in keychain mode it cannot be
// stored in the file instead.
func (s *storage) mayKeep(ctx context.Context) error {
	switch {
	case s.mode != words.ModeKeychain:
		return nil
	case s.others:
		return cli.UsageOf(errOthersKeychain, name+" pair --broker URL --run-as USER --session-store auto")
	}
	if probe := s.keychain.Probe(ctx); !probe.State.Writable() {
		return &store.UnavailableError{State: probe.State, Reason: probe.Reason}
	}
	return nil
}

// sessionName is the slot of a paired agent.
func sessionName(out enroll.Paired) string { return session.DaemonID(out.Wallet).String() }
