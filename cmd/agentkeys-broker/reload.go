package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"github.com/agentkeys/agentkeys/internal/broker/datadir"
	"github.com/agentkeys/agentkeys/internal/systemd/notify"
)

// errNotServing: no broker serves the directory; see notServing.
var errNotServing = errors.New("no broker serves this directory")

// notServing names the directory. Is errNotServing.
type notServing struct{ data string }

func (e *notServing) Error() string { return fmt.Sprintf("%s: %v", e.data, errNotServing) }

// Is makes errors.Is(err, errNotServing) true.
func (e *notServing) Is(target error) bool { return target == errNotServing }

// packageData is the directory of the package's unit.
const packageData = "/var/lib/agentkeys-broker"

// unitCommand is the command that does verb for the broker of data: for the package's unit, or byHand.
func unitCommand(verb, data, byHand string) string {
	if filepath.Clean(data) == packageData {
		return "sudo systemctl " + verb + " agentkeys-broker"
	}
	return byHand + "agentkeys-broker serve --data " + data
}

type reloadCommand struct{ serveFlags }

// Run passes its options to the broker that serves the directory. systemd has read EnvironmentFile=
// again for this command, which a running process cannot do.
func (c *reloadCommand) Run(*call) error {
	if err := c.absolute(); err != nil {
		return err
	}
	given, err := unsaid().with(c.serveFlags)
	if err != nil {
		return err
	}
	dir, err := datadir.Existing(given.data)
	if err != nil {
		return err
	}
	pid, err := dir.Holder()
	if err != nil {
		return err
	}
	if pid == 0 {
		return &notServing{given.data}
	}
	if err := checkReload(dir, given, c.serveFlags); err != nil {
		return err
	}
	if err := dir.WriteOptions(c.args()); err != nil {
		return err
	}
	if err := syscall.Kill(pid, syscall.SIGHUP); err != nil {
		return fmt.Errorf("reload process %d: %w", pid, err)
	}
	return nil
}

// checkReload reports what is wrong with f, with the options that the serving broker has
// written down. If it could not write them, only given is known.
func checkReload(dir datadir.Dir, given options, f serveFlags) error {
	before, err := dir.Served()
	if err != nil {
		return err
	}
	after := given
	if before != nil {
		served, err := parseServe(before)
		if err != nil {
			return fmt.Errorf("the options of the broker that serves: %w", err)
		}
		if err := served.checkFiles(dir); err != nil {
			return err
		}
		if after, err = served.with(f); err != nil {
			return err
		}
	}
	if err := after.check(); err != nil {
		return err
	}
	return after.checkFiles(dir)
}

// checkFiles reports why a broker would refuse the certificate.
func (o options) checkFiles(dir datadir.Dir) error {
	if o.cert != "" {
		if _, _, err := readPair(o.cert, o.key); err != nil {
			return fmt.Errorf("load certificate, the one before goes on: %w", err)
		}
		return nil
	}
	if !o.selfSigned() {
		return nil
	}
	text, err := dir.CopyTLSKey()
	if err == nil && text.IsZero() {
		err = fmt.Errorf("%s: %w", dir.TLSKeyPath(), errKeyGone)
	}
	return err
}

// reloader applies on SIGHUP the changes that need no restart.
type reloader struct {
	dir      datadir.Dir
	started  options
	level    *slog.LevelVar
	shown    *certificate // nil: plain HTTP
	notifier *notify.Notifier
	log      *slog.Logger
}

// run reloads until ctx ends.
func (r *reloader) run(ctx context.Context, hups <-chan os.Signal) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-hups:
			r.notifier.Reloading(notify.Monotonic())
			r.takeOptions()
			if r.shown != nil {
				r.shown.again(true)
			}
			r.log.Info("reloaded", "log_level", r.level.Level().String())
			r.notifier.Ready()
		}
	}
}

// takeOptions applies the log level of the options that `reload` wrote, and logs the options that
// need a restart.
func (r *reloader) takeOptions() {
	args, err := r.dir.Options()
	if args == nil && err == nil {
		return
	}
	o := r.started
	o.level = r.level.Level()
	var f serveFlags
	if err == nil {
		f, err = readFlags(args)
	}
	if err == nil {
		o, err = o.with(f)
	}
	if err == nil {
		err = o.check()
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
		r.log.Warn("options that take a restart are other ones now", "options", other, "hint", unitCommand("restart", r.started.data, "stop it, then: "))
	}
}

// fixed are the options that a running broker cannot change.
func (o options) fixed() map[string]string {
	return map[string]string{
		"--listen": o.listen, "--metrics-listen": o.metrics, "--tls": o.tls, "--tls-cert": o.cert, "--tls-key": o.key,
		"--url-host": o.urlHost, "--insecure-http": fmt.Sprint(o.insecure), "--trusted-proxy": fmt.Sprint(o.proxies),
		"--log-format": o.format,
	}
}
