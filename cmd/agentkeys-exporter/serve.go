package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/coreos/go-systemd/v22/activation"
	"github.com/prometheus/exporter-toolkit/web"

	"github.com/agentkeys/agentkeys/internal/cli"
	"github.com/agentkeys/agentkeys/internal/systemd/notify"
	"github.com/agentkeys/agentkeys/internal/unixsocket"
)

const (
	defaultAddress = "127.0.0.1:9478"
	headerTimeout  = 10 * time.Second
	answerTimeout  = time.Minute // the longest a scrape takes with a hundred instances that hang
	stopTimeout    = 2 * time.Second
)

type serveCommand struct{}

// Run serves until the context ends, or writes the file of --write once.
func (serveCommand) Run(at *call) error {
	if err := at.check(); err != nil {
		return err
	}
	e := at.exporter()
	if at.Write != "" {
		return e.WriteFile(at.Write)
	}
	listeners, err := at.listeners()
	if err != nil {
		return err
	}
	return at.serve(e.Handler(), listeners)
}

func (at *call) check() error {
	if at.Write != "" && filepath.Ext(at.Write) != ".prom" {
		return cli.Usage("node_exporter reads files whose name ends in .prom, and "+at.Write+" does not",
			name+" --write /var/lib/prometheus/node-exporter/agentkeys.prom")
	}
	if at.Write != "" && len(at.Listen) > 0 {
		return cli.Usage("--write writes once and listens nowhere", name+" --write "+at.Write)
	}
	for _, address := range at.Listen {
		if path, ok := unixsocket.Path(address); ok && !filepath.IsAbs(path) {
			return cli.Usage("the path of a unix socket must be absolute", "--web.listen-address unix:///run/agentkeys-exporter/metrics.sock")
		} else if !ok {
			if _, _, err := net.SplitHostPort(address); err != nil {
				return cli.Usage(fmt.Sprintf("%q is not an address", address), "--web.listen-address "+defaultAddress)
			}
		}
	}
	if at.Web == "" {
		return nil
	}
	if err := web.Validate(at.Web); err != nil {
		return cli.UsageOf(fmt.Errorf("--web.config.file %s: %w", at.Web, err), "https://github.com/prometheus/exporter-toolkit/blob/master/docs/web-configuration.md")
	}
	return nil
}

// listeners are those of the flags, else those that systemd passed, else the default address.
func (at *call) listeners() ([]net.Listener, error) {
	addresses := at.Listen
	if len(addresses) == 0 {
		passed, err := activation.Listeners()
		if err != nil || len(passed) > 0 {
			return passed, err
		}
		addresses = []string{defaultAddress}
	}
	var all []net.Listener
	for _, address := range addresses {
		l, err := listen(at.ctx, address)
		if err != nil {
			return nil, errors.Join(err, closeAll(all))
		}
		all = append(all, l)
	}
	return all, nil
}

func listen(ctx context.Context, address string) (net.Listener, error) {
	if path, ok := unixsocket.Path(address); ok {
		return unixsocket.Listen(ctx, path)
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	return l, nil
}

func closeAll(all []net.Listener) error {
	var errs []error
	for _, l := range all {
		errs = append(errs, l.Close())
	}
	return errors.Join(errs...)
}

// serve answers on all listeners until the context ends.
func (at *call) serve(h http.Handler, listeners []net.Listener) error {
	failed := make(chan error, len(listeners))
	servers := make([]*http.Server, len(listeners))
	var addresses []string
	for n, l := range listeners {
		// A server for each: the toolkit changes its handler.
		servers[n] = &http.Server{Handler: h, ReadHeaderTimeout: headerTimeout, WriteTimeout: answerTimeout, MaxHeaderBytes: 16 << 10}
		addresses = append(addresses, l.Addr().String())
		go func() { failed <- web.Serve(l, servers[n], &web.FlagConfig{WebConfigFile: &at.Web}, at.log) }()
	}
	notifier := notify.New(at.getenv, os.Getpid())
	notifier.Status("serving on " + strings.Join(addresses, ", "))
	notifier.Ready()
	var err error
	select {
	case err = <-failed:
	case <-at.ctx.Done():
	}
	notifier.Stopping()
	end, done := context.WithTimeout(context.WithoutCancel(at.ctx), stopTimeout)
	defer done()
	for _, s := range servers {
		if s.Shutdown(end) != nil {
			_ = s.Close() // requests in progress end with the process
		}
	}
	return err
}
