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
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
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
	var o options
	f := flag.NewFlagSet("serve", flag.ContinueOnError)
	f.StringVar(&o.listen, "listen", "127.0.0.1:8420", "")
	f.StringVar(&o.data, "data", "", "")
	f.StringVar(&o.tls, "tls", "", "")
	f.StringVar(&o.cert, "tls-cert", "", "")
	f.StringVar(&o.key, "tls-key", "", "")
	f.StringVar(&o.urlHost, "url-host", "", "")
	f.StringVar(&o.metrics, "metrics-listen", "", "")
	f.BoolVar(&o.insecure, "insecure-http", false, "")
	f.TextVar(&o.level, "log-level", slog.LevelInfo, "")
	f.StringVar(&o.format, "log-format", "text", "")
	f.Func("trusted-proxy", "", func(text string) error {
		p, err := netip.ParsePrefix(text)
		o.proxies = append(o.proxies, p)
		return err
	})
	if err := parse(f, args, stdout); err != nil {
		return o, err
	}
	return o, o.check()
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
	return checkAddress(o.listen, o.encrypted(), o.insecure)
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

func (o options) logger(w io.Writer) *slog.Logger {
	opts := &slog.HandlerOptions{Level: o.level}
	if o.format == "json" {
		return slog.New(slog.NewJSONHandler(w, opts))
	}
	return slog.New(slog.NewTextHandler(w, opts))
}

// serveCommand runs the broker until ctx ends. Its only line on stdout is
// `listening on URL`, once the broker answers there.
func serveCommand(ctx context.Context, args, env []string, stdout, stderr io.Writer) error {
	o, err := parseServe(args, stdout)
	if err != nil {
		return err
	}
	log := o.logger(stderr)
	w, err := wire(ctx, o, log)
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
	servers := []*server{main}
	if o.metrics != "" {
		m, err := newServer(ctx, o.metrics, identity{}, w.metrics, log)
		if err != nil {
			return errors.Join(err, main.listener.Close())
		}
		log.Info("metrics", "url", m.url+"/metrics")
		servers = append(servers, m)
	}
	log.Info("listening", "url", main.url)
	w.identity.noteAddresses(log)
	return serve(ctx, w, servers, log, func() {
		fmt.Fprintln(stdout, "listening on", main.url)
		notify(log, env, daemon.SdNotifyReady)
	}, func() { notify(log, env, daemon.SdNotifyStopping) })
}

// serve runs the servers and the sweeper until ctx ends or a server fails, then
// ends the long polls and gives the rest 5 s.
func serve(ctx context.Context, w *wired, servers []*server, log *slog.Logger, ready, stopping func()) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	failed := make(chan error, len(servers))
	for _, s := range servers {
		go func() { failed <- s.serve() }()
	}
	swept := make(chan struct{})
	go func() { defer close(swept); w.run(ctx) }()
	ready()
	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	log.Info("stopping")
	stopping()
	cancel()
	w.broker.Close()
	end, done := context.WithTimeout(context.Background(), stopTimeout)
	defer done()
	for _, s := range servers {
		if e := s.http.Shutdown(end); e != nil {
			err = errors.Join(err, s.http.Close())
		}
	}
	<-swept
	return err
}

// notify tells systemd; env decides whether there is one to tell.
func notify(log *slog.Logger, env []string, state string) {
	for _, e := range env {
		if len(e) > len("NOTIFY_SOCKET=") && e[:len("NOTIFY_SOCKET=")] == "NOTIFY_SOCKET=" {
			if _, err := daemon.SdNotify(false, state); err != nil {
				log.Warn("notify systemd", "error", err)
			}
		}
	}
}

func httpServer(h http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler: h, ReadHeaderTimeout: headerTimeout, ReadTimeout: bodyTimeout, WriteTimeout: bodyTimeout,
		IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}
