package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/agentkeys/agentkeys/internal/broker/httpapi"
	"github.com/agentkeys/agentkeys/internal/cli"
	"github.com/agentkeys/agentkeys/internal/stdio"
	"github.com/agentkeys/agentkeys/internal/systemd/notify"
	"github.com/agentkeys/agentkeys/internal/unixsocket"
)

// Time limits of the listener. A long poll takes 50 s at most; a client that reads its answer slowly
// gets the same time again.
const (
	headerTimeout = 10 * time.Second
	bodyTimeout   = 100 * time.Second
	idleTimeout   = 2 * time.Minute
	stopTimeout   = 5 * time.Second
	maxHeader     = 16 << 10
)

func (o options) check() error {
	if err := o.checkTLS(); err != nil {
		return err
	}
	if o.format != "text" && o.format != "json" {
		return cli.Usage(fmt.Sprintf("unknown log format %q", o.format), "--log-format text or json")
	}
	if o.metrics != "" {
		if err := checkAddress(o.metrics, true, false); err != nil {
			return forMetrics(err)
		}
	}
	return checkAddress(o.listen, o.encrypted(), o.insecure)
}

// forMetrics turns a mistake in --listen into one in --metrics-listen.
func forMetrics(err error) error {
	if f := (*cli.Failure)(nil); errors.As(err, &f) {
		hint := strings.NewReplacer("--listen", "--metrics-listen", ":8420", ":9480", "/http.sock", "/metrics.sock")
		return cli.Usage("--metrics-listen: "+f.Error(), hint.Replace(f.Hint))
	}
	return fmt.Errorf("--metrics-listen: %w", err)
}

func (o options) checkTLS() error {
	_, socket := unixsocket.Path(o.listen)
	switch {
	case (o.cert == "") != (o.key == ""):
		return cli.Usage("--tls-cert and --tls-key go together", "agentkeys-broker serve --tls-cert FILE --tls-key FILE --data DIR")
	case o.tls != "" && o.tls != modeSelfSigned:
		return cli.Usage(fmt.Sprintf("unknown kind of TLS %q", o.tls), "--tls self-signed")
	case o.selfSigned() && o.cert != "":
		return cli.Usage("a broker has one certificate", "--tls self-signed, or --tls-cert and --tls-key")
	case o.selfSigned() && socket:
		return cli.Usage("a unix socket needs no TLS", "--listen unix:///path without --tls")
	case o.urlHost != "" && (!o.encrypted() || socket):
		return cli.Usage("--url-host says how other machines reach a broker that speaks TLS", "--tls self-signed --url-host mini.local")
	case o.urlHost != "":
		return checkHost(o.urlHost)
	}
	return nil
}

// logger writes as o says. The level may change later.
func (o options) logger(w io.Writer) (*slog.Logger, *slog.LevelVar) {
	level := &slog.LevelVar{}
	level.Set(o.level)
	opts := &slog.HandlerOptions{Level: level}
	if o.format == "json" {
		return slog.New(slog.NewJSONHandler(w, opts)), level
	}
	return slog.New(slog.NewTextHandler(w, opts)), level
}

type serveCommand struct{ serveFlags }

// Run runs the broker until the context ends. Its only line on standard output is `listening on URL`,
// once the broker answers there.
func (c *serveCommand) Run(at *call) error {
	ctx, stdout := at.ctx, at.stdout.Raw() // the broker serves also if standard output is closed
	if err := c.absolute(); err != nil {
		return err
	}
	o, err := unsaid().with(c.serveFlags)
	if err != nil {
		return err
	}
	if err := o.check(); err != nil {
		return err
	}
	lines := stdio.NewLog(at.stderr) // so that a log reader that hangs does not block requests
	defer lines.Close()
	log, level := o.logger(lines)
	w, err := wire(ctx, o, c.args(), log)
	if err != nil {
		return err
	}
	defer func() {
		if err := w.close(); err != nil {
			log.Error("close", "error", err)
		}
	}()
	main, err := newServer(ctx, o.listen, w.identity, w.api, httpapi.NewConnections(maxStrangers(), o.proxies), log)
	if err != nil {
		return err
	}
	w.notifier = notify.New(lookup(at.env), os.Getpid())
	s := serving{
		wired: w, main: main, hups: at.hangups.Caught(),
		reloader: &reloader{dir: w.dir, started: o, level: level, shown: w.identity.shown, notifier: w.notifier, log: log},
	}
	log.Info("listening", "url", main.url)
	w.identity.noteAddresses(log)
	return s.run(ctx, o.metrics, func() { fmt.Fprintln(stdout, "listening on", main.url) })
}

// serving is a broker with everything that runs together with it.
type serving struct {
	*wired
	main     *server
	reloader *reloader
	hups     <-chan os.Signal
}

// run serves until ctx ends or the main listener fails. Then it ends the long polls and gives other
// requests 5 s. metrics is the address of the metrics, or empty.
func (s serving) run(ctx context.Context, metrics string, ready func()) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	failed := make(chan error, 1)
	var background sync.WaitGroup
	background.Go(func() { failed <- s.main.until(ctx) })
	background.Go(func() { s.wired.run(ctx) })
	if metrics != "" {
		background.Go(func() { _ = s.metricsTask(metrics).Run(ctx) }) // its failures are told, never returned
	}
	if s.identity.shown != nil {
		background.Go(func() { s.identity.shown.watch(ctx) })
	}
	ready()
	s.notifier.Ready()
	background.Go(func() { s.reloader.run(ctx, s.hups) })
	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	s.log.Info("stopping")
	s.notifier.Stopping()
	s.broker.Close()
	cancel()
	background.Wait()
	return err
}

// lookup reads env as os.Getenv reads the process's.
func lookup(env []string) func(string) string {
	return func(name string) string {
		for _, e := range env {
			if value, ok := strings.CutPrefix(e, name+"="); ok {
				return value
			}
		}
		return ""
	}
}

// maxStreams is how many requests one HTTP/2 connection has at the same time: a daemon has a long poll
// and a few more.
const maxStreams = 16

func httpServer(h http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		HTTP2:   &http.HTTP2Config{MaxConcurrentStreams: maxStreams},
		Handler: h, ReadHeaderTimeout: headerTimeout, ReadTimeout: bodyTimeout, WriteTimeout: bodyTimeout,
		IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}
