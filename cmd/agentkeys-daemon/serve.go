package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/agentkeys/agentkeys/internal/access"
	"github.com/agentkeys/agentkeys/internal/agent"
	"github.com/agentkeys/agentkeys/internal/agent/localapi"
	"github.com/agentkeys/agentkeys/internal/buildinfo"
	"github.com/agentkeys/agentkeys/internal/cli"
	"github.com/agentkeys/agentkeys/internal/health"
	"github.com/agentkeys/agentkeys/internal/health/condition"
	"github.com/agentkeys/agentkeys/internal/paths"
	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/settings"
	"github.com/agentkeys/agentkeys/internal/store"
	"github.com/agentkeys/agentkeys/internal/supervise"
	"github.com/agentkeys/agentkeys/internal/systemd/notify"
	"github.com/agentkeys/agentkeys/internal/wallet"
	"github.com/agentkeys/agentkeys/internal/words"
)

// gcPercent keeps the heap small, since the program allocates little.
const gcPercent = 40

// How a daemon ends, other than by a requested stop in time.
var (
	errStuck = errors.New("a part of the daemon did not stop in time")
	errEnded = errors.New("the daemon ended though nobody stopped it")
)

// instance is the running daemon of one wallet, with everything that belongs to it.
type instance struct {
	p       *program
	w       wallet.Wallet
	log     *slog.Logger
	level   *slog.LevelVar
	broker  protocol.StatusBroker // from the settings; only the agent's main loop reads and changes it
	policy  atomic.Pointer[access.Policy]
	health  *health.Conditions
	metrics *health.Metrics
	notify  *notify.Notifier
	storage *storage
	daemon  *agent.Daemon
	server  *localapi.Server
	hups    <-chan os.Signal
	looks   chan struct{} // requests a check of the sockets

	metricsAt chan string // the address of metrics_listen, sent whenever the settings are read
}

// serve runs the daemon of w until a signal ends it.
func (p *program) serve(ctx context.Context, w wallet.Wallet) error {
	p.serves = true
	defer p.queueLog()()
	debug.SetGCPercent(gcPercent)
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	i, err := p.newInstance(ctx, w)
	if err != nil {
		return err
	}
	i.hups = p.hangups.Caught()
	if err := i.daemon.Start(ctx); err != nil {
		return i.explain(err)
	}
	defer i.daemon.Close()
	sockets, err := i.open()
	if err != nil {
		return i.explain(i.placeless(ctx, err))
	}
	return i.explain(i.run(ctx, i.tasks(sockets)))
}

func (p *program) newInstance(ctx context.Context, w wallet.Wallet) (*instance, error) {
	i := &instance{p: p, w: w, looks: make(chan struct{}, 1), metricsAt: make(chan string, 1)}
	set, origins, err := p.loadSettings(w.String())
	if err != nil {
		return nil, err
	}
	i.log, i.level = p.logger(set)
	i.log = i.log.With("wallet", w.String())
	i.adopt(set, origins)
	i.notify = notify.New(p.getenv, os.Getpid())
	i.health = health.NewConditions(time.Now, i.log, w.String())
	i.metrics = health.NewMetrics(w.String(), buildinfo.Version(), i.health)
	i.metrics.Process(prometheus.NewProcessCollector(prometheus.ProcessCollectorOpts{})) //nolint:staticcheck // its successor links database/sql
	if i.storage, err = p.openStore(set, i.log, i.metrics); err != nil {
		return nil, err
	}
	i.storage.look(ctx)
	i.metrics.KeychainState(i.storage.keychainState())
	i.daemon = agent.New(i.agentConfig(i.health))
	i.server = localapi.New(localapi.Config{
		Source: i.daemon, Policy: func() access.Policy { return *i.policy.Load() },
		Metrics: i.metrics.Handler(), Observe: i.metrics.CredentialRequest, Logger: i.log,
	})
	return i, nil
}

func (i *instance) agentConfig(conditions *health.Conditions) agent.Config {
	d := &dialer{metrics: i.metrics, conditions: conditions}
	told := &notifier{Notifier: i.notify, health: conditions}
	conditions.OnChange(told.again)
	c := agent.Config{
		Wallet: i.w, Store: i.storage, Dial: d.dial, Named: i.named, KeychainState: i.storage.keychainState,
		Conditions: conditions, Observer: i.metrics, Notifier: told, Logger: i.log,
		Host: hostName(), Version: buildinfo.Version(), BootID: bootID(), ClockSynced: clockSynced,
		Floor: func() time.Time { return time.Unix(d.floor.Load(), 0) }, SetFloor: d.setFloor,
		Random: random, Settings: i.reload, Watchdog: i.notify.WatchdogInterval(),
	}
	if i.storage.keychain != nil {
		c.Keychain = i.storage.keychain
	}
	if paths.UnitsHome(i.storage.Home()) {
		conditions.OfMachine()
	}
	d.checkClock()
	if userName(os.Geteuid()) == paths.PackageUser {
		c.KeychainHint = hintRecover(i.w)
	}
	return c
}

// named is the broker in the settings, and which setting names it.
func (i *instance) named() (url, from string) { return i.broker.URL, i.broker.From }

// adopt applies what a reload may change: rules, log level, broker and the address of metrics_listen.
// It is called by one goroutine at a time.
func (i *instance) adopt(set settings.Settings, origins settings.Origins) {
	i.broker = protocol.StatusBroker{URL: set.Broker, From: origins["broker"]}
	policy := i.p.policy(set, origins, i.log)
	i.policy.Store(&policy)
	i.level.Set(levelOf(set.LogLevel))
	i.wantMetrics(set.MetricsListen)
}

// reload keeps the old settings if the new ones are wrong, and sets a condition until a reload
// succeeds.
func (i *instance) reload() {
	set, origins, err := i.p.loadSettings(i.w.String())
	if err != nil {
		i.log.Error("settings not loaded", "error", err)
		i.health.Set(condition.SettingsRefused, true, strings.ReplaceAll(err.Error(), "\n", "; "))
		return
	}
	i.health.Set(condition.SettingsRefused, false, "")
	i.adopt(set, origins)
	i.log.Info("settings loaded")
}

// placeless is why there is no place for the sockets. For an insecure slot it names the command that
// corrects it, where err only says that access is denied.
func (i *instance) placeless(ctx context.Context, err error) error {
	if _, _, insecure := i.storage.Peek(ctx, session.DaemonID(i.w)); errors.Is(insecure, store.ErrInsecure) {
		return insecure
	}
	return err
}

// explain adds the command that makes a session.
func (i *instance) explain(err error) error {
	if errors.Is(err, store.ErrNoSession) {
		sudo := ""
		if paths.UnitsHome(i.storage.Home()) {
			sudo = "sudo " // the unit's user may not make slots there
		}
		return &cli.Failure{
			Exit: words.ExitNoSession, Code: string(words.ResultNoSession), Hint: sudo + name + " recover " + i.w.String() + " --broker URL",
			Err: fmt.Errorf("wallet %s is not paired on this machine: %w", i.w, err),
		}
	}
	switch {
	case errors.Is(err, store.ErrBusy):
		return i.p.busy(i.storage.Store, i.w, fmt.Errorf("another daemon runs for wallet %s", i.w))
	case errors.Is(err, localapi.ErrInUse):
		return i.p.busy(i.storage.Store, i.w, err)
	}
	return err
}

func (i *instance) tasks(sockets *localapi.Pair) []supervise.Task {
	tasks := []supervise.Task{
		supervise.Func("agent", i.daemon.Run),
		supervise.Func("local interface", func(ctx context.Context) error {
			return i.server.Keep(ctx, sockets, i.open, i.looks)
		}),
		supervise.Func("signals", i.hangups),
		i.metricsTask(),
	}
	if i.storage.keychain != nil {
		tasks = append(tasks, supervise.Func("keychain", i.storage.keychainTask))
	}
	return tasks
}

// hangups reloads at each SIGHUP.
func (i *instance) hangups(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-i.hups:
			i.daemon.Reload()
			select {
			case i.looks <- struct{}{}: // check whether the sockets are there
			default:
			}
		}
	}
}

// run supervises the tasks. After a signal they have stopTime to end.
func (i *instance) run(ctx context.Context, tasks []supervise.Task) error {
	done := make(chan error, 1)
	go func() {
		done <- supervise.Run(ctx, i.log, func() {
			i.log.Info("ready", "version", buildinfo.Version())
			i.notify.Ready()
		}, tasks...)
	}()
	select {
	case err := <-done:
		if err == nil && ctx.Err() == nil {
			err = errEnded // exit code 0 would look like a requested stop
		}
		return err
	case <-ctx.Done():
	}
	i.notify.Stopping()
	timer := time.NewTimer(stopTime)
	defer timer.Stop()
	select {
	case err := <-done:
		return err
	case <-timer.C:
		return errStuck
	}
}
