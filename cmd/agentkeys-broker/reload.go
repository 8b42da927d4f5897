package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"slices"
	"syscall"

	"github.com/agentkeys/agentkeys/internal/broker/datadir"
	"github.com/agentkeys/agentkeys/internal/sdnotify"
)

// errNotServing: there is nobody to reload.
var errNotServing = errors.New("no broker serves this directory")

// reloadCommand gives the options that it is called with to the broker that serves the
// directory. systemd reads EnvironmentFile= anew for it, which a running process cannot.
func reloadCommand(args []string, stdout io.Writer) error {
	o, err := parseServe(args, stdout)
	if err != nil {
		return err
	}
	dir, err := datadir.Existing(o.data)
	if err != nil {
		return err
	}
	pid, err := dir.Holder()
	if err != nil {
		return err
	}
	if pid == 0 {
		return fmt.Errorf("%s: %w", o.data, errNotServing)
	}
	if err := dir.WriteOptions(args); err != nil {
		return err
	}
	if err := syscall.Kill(pid, syscall.SIGHUP); err != nil {
		return fmt.Errorf("reload process %d: %w", pid, err)
	}
	return nil
}

// reloader does on SIGHUP what takes no restart.
type reloader struct {
	dir      datadir.Dir
	started  options
	level    *slog.LevelVar
	shown    *certificate // nil: plain HTTP
	notifier *sdnotify.Notifier
	log      *slog.Logger
}

// run reloads until ctx ends.
func (r *reloader) run(ctx context.Context, hups <-chan os.Signal) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-hups:
			r.notifier.Reloading(sdnotify.Monotonic())
			r.takeOptions()
			if r.shown != nil {
				r.shown.again(true)
			}
			r.log.Info("reloaded", "log_level", r.level.Level().String())
			r.notifier.Ready()
		}
	}
}

// takeOptions takes the log level of the options that `reload` left, and names what
// takes a restart.
func (r *reloader) takeOptions() {
	args, err := r.dir.Options()
	if args == nil && err == nil {
		return
	}
	var o options
	if err == nil {
		o, err = parseServe(args, io.Discard)
	}
	if err != nil {
		r.log.Error("the options of the reload cannot be used", "error", err)
		return
	}
	r.level.Set(o.level)
	now := o.fixed()
	var other []string
	for _, name := range slices.Sorted(maps.Keys(now)) {
		if now[name] != r.started.fixed()[name] {
			other = append(other, name)
		}
	}
	if other != nil {
		r.log.Warn("options that take a restart are other ones now", "options", other, "hint", "sudo systemctl restart agentkeys-broker")
	}
}

// fixed are the options that a running broker does not change.
func (o options) fixed() map[string]string {
	return map[string]string{
		"--listen": o.listen, "--metrics-listen": o.metrics, "--tls": o.tls, "--tls-cert": o.cert, "--tls-key": o.key,
		"--url-host": o.urlHost, "--insecure-http": fmt.Sprint(o.insecure), "--trusted-proxy": fmt.Sprint(o.proxies),
		"--log-format": o.format,
	}
}
