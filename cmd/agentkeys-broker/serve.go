package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/agentkeys/agentkeys/internal/sdnotify"
	"github.com/agentkeys/agentkeys/internal/stdio"
)

// Time limits of the listener. A long poll takes 50 s at most; a slow reader of its answer
// gets as long again.
const (
	headerTimeout = 10 * time.Second
	bodyTimeout   = 100 * time.Second
	idleTimeout   = 2 * time.Minute
	stopTimeout   = 5 * time.Second
	maxHeader     = 16 << 10
)

// options are the flags of serve, checked.
type options struct {
	listen, data, metrics   string
	tls, cert, key, urlHost string
	insecure                bool
	proxies                 []netip.Prefix
	level                   slog.Level
	format                  string
}

// modeSelfSigned is the one value of --tls.
const modeSelfSigned = "self-signed"

func (o options) selfSigned() bool { return o.tls != "" }

// encrypted reports whether the main listener speaks TLS.
func (o options) encrypted() bool { return o.selfSigned() || o.cert != "" }

func parseServe(args []string, stdout io.Writer) (options, error) {
	o, err := unsaid().with(args, stdout)
	if err != nil {
		return o, err
	}
	return o, o.check()
}

// unsaid are the options of a start that names none.
func unsaid() options {
	return options{listen: "127.0.0.1:8420", level: slog.LevelInfo, format: "text"}
}

// with is o after args, not checked: what they leave out is as it was.
func (o options) with(args []string, stdout io.Writer) (options, error) {
	before := o
	o.tls, o.cert, o.key, o.proxies = "", "", "", nil // one kind of TLS takes the place of another
	f := flag.NewFlagSet("serve", flag.ContinueOnError)
	f.StringVar(&o.listen, "listen", o.listen, "")
	f.StringVar(&o.data, "data", o.data, "")
	f.StringVar(&o.tls, "tls", "", "")
	f.StringVar(&o.cert, "tls-cert", "", "")
	f.StringVar(&o.key, "tls-key", "", "")
	f.StringVar(&o.urlHost, "url-host", o.urlHost, "")
	f.StringVar(&o.metrics, "metrics-listen", o.metrics, "")
	f.BoolVar(&o.insecure, "insecure-http", o.insecure, "")
	f.TextVar(&o.level, "log-level", o.level, "")
	f.StringVar(&o.format, "log-format", o.format, "")
	f.Func("trusted-proxy", "", func(text string) error {
		p, err := netip.ParsePrefix(text)
		o.proxies = append(o.proxies, p)
		return err
	})
	if err := parse(f, args, stdout); err != nil {
		return o, err
	}
	if o.tls == "" && o.cert == "" && o.key == "" {
		o.tls, o.cert, o.key = before.tls, before.cert, before.key
	}
	if o.proxies == nil {
		o.proxies = before.proxies
	}
	err := o.absolute()
	return o, err
}

// absolute makes the names of files mean the same in another process.
func (o *options) absolute() error {
	for _, path := range []*string{&o.cert, &o.key} {
		if *path == "" {
			continue
		}
		full, err := filepath.Abs(*path)
		if err != nil {
			return fmt.Errorf("look for %s: %w", *path, err)
		}
		*path = full
	}
	return nil
}

// forAnother are args for a process that runs elsewhere.
func (o options) forAnother(args []string) []string {
	if o.cert == "" {
		return args
	}
	return append(slices.Clone(args), "--tls-cert", o.cert, "--tls-key", o.key)
}

func (o options) check() error {
	if err := needData(o.data, "serve"); err != nil {
		return err
	}
	if err := o.checkTLS(); err != nil {
		return err
	}
	if o.format != "text" && o.format != "json" {
		return &mistake{fmt.Sprintf("unknown log format %q", o.format), "--log-format text or json"}
	}
	if o.metrics != "" {
		if err := checkAddress(o.metrics, true, false); err != nil {
			return forMetrics(err)
		}
	}
	return checkAddress(o.listen, o.encrypted(), o.insecure)
}

// forMetrics makes a mistake in --listen one in --metrics-listen.
func forMetrics(err error) error {
	if m := (*mistake)(nil); errors.As(err, &m) {
		hint := strings.NewReplacer("--listen", "--metrics-listen", ":8420", ":9480", "/http.sock", "/metrics.sock")
		return &mistake{"--metrics-listen: " + m.message, hint.Replace(m.hint)}
	}
	return fmt.Errorf("--metrics-listen: %w", err)
}

func (o options) checkTLS() error {
	_, socket := socketPath(o.listen)
	switch {
	case (o.cert == "") != (o.key == ""):
		return &mistake{"--tls-cert and --tls-key go together", "agentkeys-broker serve --tls-cert FILE --tls-key FILE --data DIR"}
	case o.tls != "" && o.tls != modeSelfSigned:
		return &mistake{fmt.Sprintf("unknown kind of TLS %q", o.tls), "--tls self-signed"}
	case o.selfSigned() && o.cert != "":
		return &mistake{"a broker has one certificate", "--tls self-signed, or --tls-cert and --tls-key"}
	case o.selfSigned() && socket:
		return &mistake{"a unix socket needs no TLS", "--listen unix:///path without --tls"}
	case o.urlHost != "" && (!o.encrypted() || socket):
		return &mistake{"--url-host says how other machines reach a broker that speaks TLS", "--tls self-signed --url-host mini.local"}
	case o.urlHost != "":
		return checkHost(o.urlHost)
	}
	return nil
}

// logger writes as o says; the level may change later.
func (o options) logger(w io.Writer) (*slog.Logger, *slog.LevelVar) {
	level := &slog.LevelVar{}
	level.Set(o.level)
	opts := &slog.HandlerOptions{Level: level}
	if o.format == "json" {
		return slog.New(slog.NewJSONHandler(w, opts)), level
	}
	return slog.New(slog.NewTextHandler(w, opts)), level
}

// serveCommand runs the broker until ctx ends. Its only line on stdout is
// `listening on URL`, once the broker answers there.
func serveCommand(ctx context.Context, args, env []string, stdout, stderr io.Writer) error {
	o, err := parseServe(args, stdout)
	if err != nil {
		return err
	}
	// To the end of the process: SIGHUP must not end a broker that starts or stops.
	hups := make(chan os.Signal, 1)
	signal.Notify(hups, syscall.SIGHUP)
	lines := stdio.NewLog(stderr) // a reader that hangs keeps no request waiting
	defer lines.Close()
	log, level := o.logger(lines)
	w, err := wire(ctx, o, args, log)
	if err != nil {
		return err
	}
	defer func() {
		if err := w.close(); err != nil {
			log.Error("close", "error", err)
		}
	}()
	main, err := newServer(ctx, o.listen, w.identity, w.api, log)
	if err != nil {
		return err
	}
	w.notifier = sdnotify.New(lookup(env), os.Getpid())
	s := serving{
		wired: w, main: main, hups: hups,
		reloader: &reloader{dir: w.dir, started: o, level: level, shown: w.identity.shown, notifier: w.notifier, log: log},
	}
	log.Info("listening", "url", main.url)
	w.identity.noteAddresses(log)
	return s.run(ctx, o.metrics, func() { fmt.Fprintln(stdout, "listening on", main.url) })
}

// serving is a broker with everything that runs beside it.
type serving struct {
	*wired
	main     *server
	reloader *reloader
	hups     <-chan os.Signal
}

// run serves until ctx ends or the main listener fails, then ends the long polls and
// gives the rest 5 s. metrics is the address of the metrics, or empty.
func (s serving) run(ctx context.Context, metrics string, ready func()) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	failed := make(chan error, 1)
	var beside sync.WaitGroup
	beside.Go(func() { failed <- s.main.until(ctx) })
	beside.Go(func() { s.wired.run(ctx) })
	if metrics != "" {
		beside.Go(func() { _ = s.metricsTask(metrics).Run(ctx) }) // its failures are told, never returned
	}
	if s.identity.shown != nil {
		beside.Go(func() { s.identity.shown.watch(ctx) })
	}
	ready()
	s.notifier.Ready()
	beside.Go(func() { s.reloader.run(ctx, s.hups) })
	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	s.log.Info("stopping")
	s.notifier.Stopping()
	s.broker.Close()
	cancel()
	beside.Wait()
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

func httpServer(h http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler: h, ReadHeaderTimeout: headerTimeout, ReadTimeout: bodyTimeout, WriteTimeout: bodyTimeout,
		IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}
