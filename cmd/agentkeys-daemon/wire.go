package main

import (
	"context"
	"log/slog"
	"math"
	"math/rand/v2"
	"os"
	"os/user"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/agentkeys/agentkeys/internal/access"
	"github.com/agentkeys/agentkeys/internal/agent"
	"github.com/agentkeys/agentkeys/internal/brokerclient"
	"github.com/agentkeys/agentkeys/internal/buildinfo"
	"github.com/agentkeys/agentkeys/internal/health"
	"github.com/agentkeys/agentkeys/internal/health/condition"
	"github.com/agentkeys/agentkeys/internal/paths"
	"github.com/agentkeys/agentkeys/internal/settings"
	"github.com/agentkeys/agentkeys/internal/store"
	"github.com/agentkeys/agentkeys/internal/store/keychain"
	"github.com/agentkeys/agentkeys/internal/words"
)

// loadSettings reads all layers for one wallet (empty: none is known yet).
func (p *program) loadSettings(w string) (settings.Settings, settings.Origins, error) {
	return settings.Load(settings.Source{
		Wallet: w, Dir: paths.ConfigDir(p.getenv), Getenv: p.getenv, Flags: p.flags.given(), ReadFile: settings.ReadFile,
		CanonicalURL: brokerclient.CanonicalURL,
	})
}

// loadFiles reads only the files, because a daemon that systemd starts has neither the flags nor the
// variables of this process.
func (p *program) loadFiles(w string) (settings.Settings, settings.Origins, error) {
	return settings.Load(settings.Source{
		Wallet: w, Dir: paths.ConfigDir(p.getenv), Getenv: func(string) string { return "" }, ReadFile: settings.ReadFile,
		CanonicalURL: brokerclient.CanonicalURL,
	})
}

// storage is the store with its keychain adapter; keychain is nil in mode file, in which none is made.
type storage struct {
	*store.Store
	keychain *keychain.Keychain
	mode     words.Mode
	others   bool // root works on slots of other users, whose keychains it cannot reach
}

// keychainState is the state that the last probe found.
func (s *storage) keychainState() words.KeychainState {
	if s.keychain == nil {
		return words.KeychainDisabled
	}
	if p, looked := s.keychain.Last(); looked {
		return p.State
	}
	return words.KeychainHung // it was probed at the start and has not answered yet
}

// firstLook is how long a start waits for the keychain's first answer.
const firstLook = 50 * time.Millisecond

// look probes the keychain before the daemon is asked for its status. A healthy keychain answers in a
// few milliseconds, and one that hangs does not delay the start.
func (s *storage) look(ctx context.Context) {
	if s.keychain == nil {
		return
	}
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		s.keychain.Probe(ctx)
	}()
	select {
	case <-answered:
	case <-time.After(firstLook):
	}
}

// openStore makes the store. metrics may be nil. On a machine with the package, root makes slots for
// the units' user, who has no keychain.
func (p *program) openStore(set settings.Settings, log *slog.Logger, metrics *health.Metrics) (*storage, error) {
	home, err := p.home()
	if err != nil {
		return nil, err
	}
	out := &storage{}
	cfg := store.Config{Home: home, Mode: set.SessionStore, KeychainTimeout: set.KeychainTimeout, Logger: log}
	if metrics != nil {
		cfg.Observer = metrics
	}
	if uid, gid, ok := paths.SlotUser(home, os.Geteuid()); ok {
		cfg.SlotUser = &store.IDs{UID: uid, GID: gid}
	}
	if p.slotUser != nil {
		cfg.SlotUser = p.slotUser
	}
	out.others = cfg.SlotUser != nil || paths.Foreign(home, os.Geteuid())
	if out.others && cfg.Mode == words.ModeAuto {
		cfg.Mode = words.ModeFile
	}
	if cfg.Mode != words.ModeFile {
		out.keychain = keychain.New(keychain.Config{
			Timeout: set.KeychainTimeout, Env: p.getenv, Logger: log, Observe: observe(metrics),
		})
		cfg.Keychain = out.keychain
	}
	out.mode = cfg.Mode
	out.Store, err = store.New(cfg)
	return out, err
}

// observe reports each probe to the metrics; metrics may be nil.
func observe(metrics *health.Metrics) func(store.Probe) {
	if metrics == nil {
		return nil
	}
	return func(probe store.Probe) {
		metrics.Probe(probe.Provider, probe.State, probe.Seconds)
		metrics.KeychainState(probe.State)
	}
}

// dialer makes clients for brokers. All of them share one clock floor.
type dialer struct {
	floor      atomic.Int64 // Unix seconds
	metrics    *health.Metrics
	conditions *health.Conditions

	url  string // of last
	last *brokerclient.Client
}

// clockSlack is how far the clock may differ from the broker's before it is reported.
const clockSlack = 5 * time.Minute

// dial is called by the agent's main loop only.
func (d *dialer) dial(url string) (agent.Broker, error) {
	if d.last != nil && d.url == url {
		return d.last, nil
	}
	client, err := brokerclient.New(brokerclient.Config{
		URL: url, Version: buildinfo.Version(),
		Floor:       func() time.Time { return time.Unix(d.floor.Load(), 0) },
		ObserveLeaf: d.setFloor,
		Observe:     d.metrics.BrokerRequest,
		ObserveDate: func(offset time.Duration) {
			d.metrics.ClockOffset(offset.Seconds())
			d.conditions.Set(condition.ClockWrong, math.Abs(offset.Seconds()) > clockSlack.Seconds(), offset.Round(time.Second).String())
			d.checkClock()
		},
	})
	if err != nil {
		return nil, err
	}
	if d.last != nil {
		d.last.Close()
	}
	d.url, d.last = url, client
	return client, nil
}

// checkClock reports a clock that was never set: a board without a battery clock starts in 1970.
func (d *dialer) checkClock() {
	d.conditions.Set(condition.ClockNotSet, time.Now().Year() < 2024, "")
}

func (d *dialer) setFloor(t time.Time) {
	if t.Unix() > d.floor.Load() {
		d.floor.Store(t.Unix())
	}
}

// pairBroker is the broker of a pairing, which has no metrics yet.
func pairBroker(url string) (*brokerclient.Client, error) {
	return brokerclient.New(brokerclient.Config{URL: url, Version: buildinfo.Version()})
}

// machineNames resolves the names in rules. A number needs no name.
type machineNames struct{}

// UserID finds a user's number.
func (machineNames) UserID(name string) (uint32, bool) {
	if id, err := strconv.ParseUint(name, 10, 32); err == nil {
		return uint32(id), true
	}
	u, err := user.Lookup(name)
	if err != nil {
		return 0, false
	}
	id, err := strconv.ParseUint(u.Uid, 10, 32)
	return uint32(id), err == nil
}

// GroupID finds a group's number.
func (machineNames) GroupID(name string) (uint32, bool) {
	if id, err := strconv.ParseUint(name, 10, 32); err == nil {
		return uint32(id), true
	}
	g, err := user.LookupGroup(name)
	if err != nil {
		return 0, false
	}
	id, err := strconv.ParseUint(g.Gid, 10, 32)
	return uint32(id), err == nil
}

// policy is the rules in the settings. In a user's own instance the default is that user; the common
// user of the units has no privilege.
func (p *program) policy(set settings.Settings, origins settings.Origins, log *slog.Logger) access.Policy {
	base := set.Allow
	if origins["allow"] == "default" && !p.sharedUser() {
		base = []access.Rule{{Kind: access.User, Name: strconv.Itoa(os.Geteuid())}}
	}
	policy, unknown := access.NewPolicy(set.AllowRoot, base, set.Credentials, machineNames{})
	for _, rule := range unknown {
		log.Warn("rule names nobody on this machine", "rule", rule.String())
	}
	return policy
}

// sharedUser reports whether this process runs as the user of all instances.
func (p *program) sharedUser() bool {
	u, err := user.Lookup(paths.PackageUser)
	return err == nil && p.getenv("RUNTIME_DIRECTORY") != "" && u.Uid == strconv.Itoa(os.Geteuid())
}

func random() float64 { return rand.Float64() }

// keychainTask keeps the state of the keychain up to date.
func (s *storage) keychainTask(ctx context.Context) error { return s.keychain.Run(ctx) }
