package main

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"syscall"
	"time"

	"github.com/agentkeys/agentkeys/internal/broker"
	"github.com/agentkeys/agentkeys/internal/broker/datadir"
	"github.com/agentkeys/agentkeys/internal/broker/httpapi"
	"github.com/agentkeys/agentkeys/internal/broker/metrics"
	"github.com/agentkeys/agentkeys/internal/broker/sqlite"
	"github.com/agentkeys/agentkeys/internal/buildinfo"
	"github.com/agentkeys/agentkeys/internal/retry"
	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/systemd/notify"
)

// wired is the broker with its adapters. Only this file knows them all.
type wired struct {
	dir      datadir.Dir
	unlock   func() error
	identity identity
	mark     broker.Mark // the mark that was written
	behind   bool        // writing it failed, which was logged
	store    *sqlite.Store
	broker   *broker.Broker
	api      http.Handler
	metrics  http.Handler
	notifier *notify.Notifier // for `serve`
	log      *slog.Logger
}

func wire(ctx context.Context, o options, args []string, log *slog.Logger) (*wired, error) {
	dir, warning, err := openData(o.data)
	if err != nil {
		return nil, err
	}
	if warning != "" {
		log.Warn("the data directory does not stay", "reason", warning)
	}
	unlock, err := dir.Lock()
	if err != nil {
		return nil, err
	}
	if err := dir.RemoveOptions(); err != nil { // the options of the start are newer
		return nil, errors.Join(err, unlock())
	}
	w := &wired{dir: dir, unlock: unlock, log: log}
	if w.identity, err = loadIdentity(o, dir, log); err != nil {
		return nil, errors.Join(err, unlock())
	}
	if err := dir.WriteServed(args); err != nil { // a full disk does not end the broker
		log.Warn("agentkeys-broker reload cannot check the files of the certificate", "error", err)
	}
	kept, err := keptMark(dir)
	if err != nil {
		return nil, errors.Join(err, unlock())
	}
	if w.store, w.broker, err = open(ctx, dir, log, kept); err != nil {
		return nil, errors.Join(err, unlock())
	}
	if kept != nil {
		w.mark = *kept
	}
	err = w.raise(ctx)
	if errors.Is(err, syscall.ENOSPC) && w.broker.Info().Epoch == w.mark.Epoch {
		log.Error("keep the highwater mark", "error", err) // the next change tries again
		w.behind, err = true, nil
	}
	if err != nil {
		return nil, errors.Join(err, w.store.Close(), unlock())
	}
	if err := w.setup(ctx); err != nil {
		return nil, errors.Join(err, w.close())
	}
	m := metrics.New(metrics.Config{
		Version: buildinfo.Version(), Stats: w.broker.Stats, ReadOnly: w.broker.ReadOnly, Certificate: w.identity.shown.state,
	})
	w.metrics = m.Handler()
	w.api = httpapi.New(httpapi.Config{Broker: w.broker, Log: log, TrustedProxies: o.proxies, Observe: func(route string, status int, d time.Duration) {
		m.Observe(route, status, d)
		if route == "/v1/accounts" && status == http.StatusCreated {
			w.tidySetup(ctx)
		}
	}})
	return w, nil
}

func open(ctx context.Context, dir datadir.Dir, log *slog.Logger, kept *broker.Mark) (*sqlite.Store, *broker.Broker, error) {
	store, err := sqlite.Open(ctx, dir.Database())
	if err != nil {
		return nil, nil, err
	}
	b, err := broker.New(ctx, broker.Config{Store: store, Log: log, Version: buildinfo.Version(), Kept: kept})
	if err != nil {
		return nil, nil, errors.Join(err, store.Close())
	}
	return store, b, nil
}

func (w *wired) close() error {
	return errors.Join(w.raise(context.Background()), w.store.Close(), w.unlock())
}

// run sweeps and tidies every minute, and writes the mark, until ctx ends.
func (w *wired) run(ctx context.Context) {
	done := make(chan struct{})
	go func() { defer close(done); w.broker.Run(ctx) }()
	tick := time.NewTicker(time.Minute)
	defer tick.Stop()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-tick.C:
			w.tidySetup(ctx)
		case <-w.broker.Changed():
			err := w.raise(ctx)
			if err != nil && !w.behind && ctx.Err() == nil {
				w.log.Error("keep the highwater mark", "error", err)
			}
			w.behind = err != nil
			retry.Pause(ctx, raiseEvery)
		}
	}
	<-done
}

// setup makes sure that a broker without an account has a valid set-up token.
func (w *wired) setup(ctx context.Context) error {
	token, err := w.dir.SetupToken()
	if err != nil {
		return err
	}
	lives := false
	if !token.IsZero() {
		if lives, err = w.broker.SetupLives(ctx, session.TokenHash(token)); err != nil {
			return err
		}
	}
	empty, err := w.broker.Empty(ctx)
	switch {
	case err != nil:
		return err
	case lives:
	case empty:
		if err := issue(ctx, w.dir, w.broker); err != nil {
			return err
		}
		lives = true
	default:
		return w.dir.RemoveSetupToken()
	}
	if lives {
		path := w.dir.SetupPath()
		w.log.Info("the set-up token for an owner is good once, for 24 hours", "file", path, "hint", "agentkeys init --setup-token-file "+path)
	}
	return nil
}

// tidySetup removes the file of a set-up token that was used or has expired.
func (w *wired) tidySetup(ctx context.Context) {
	token, err := w.dir.SetupToken()
	if err == nil && token.IsZero() {
		return
	}
	lives := false
	if err == nil {
		lives, err = w.broker.SetupLives(ctx, session.TokenHash(token))
	}
	if err == nil && !lives {
		err = w.dir.RemoveSetupToken()
	}
	if err != nil && ctx.Err() == nil {
		w.log.Warn("tidy the set-up token", "error", err)
	}
}

func issue(ctx context.Context, dir datadir.Dir, b *broker.Broker) error {
	token := session.NewToken()
	if err := b.SetSetup(ctx, session.TokenHash(token)); err != nil {
		return err
	}
	return dir.WriteSetupToken(token)
}

// newSetupToken implements `setup-token`, also while a broker runs on the directory.
func newSetupToken(ctx context.Context, data string) (path string, err error) {
	err = withBroker(ctx, data, func(dir datadir.Dir, b *broker.Broker) error {
		path = dir.SetupPath()
		return issue(ctx, dir, b)
	})
	return path, err
}

// acceptClock implements `clock --accept`, also while a broker runs on the directory.
func acceptClock(ctx context.Context, data string) error {
	return withBroker(ctx, data, func(_ datadir.Dir, b *broker.Broker) error { return b.AcceptClock(ctx) })
}

func withBroker(ctx context.Context, data string, f func(datadir.Dir, *broker.Broker) error) error {
	dir, _, err := openData(data)
	if err != nil {
		return err
	}
	store, b, err := open(ctx, dir, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		return err
	}
	return errors.Join(f(dir, b), store.Close())
}
