package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/agentkeys/agentkeys/internal/exporter"
	"github.com/agentkeys/agentkeys/internal/paths"
	"github.com/agentkeys/agentkeys/internal/systemd"
	"github.com/agentkeys/agentkeys/internal/systemd/manager"
	"github.com/agentkeys/agentkeys/internal/wallet"
)

// systemdTimeout bounds the questions to systemd at one scrape.
const systemdTimeout = time.Second

// exporter is the use case with its adapters.
func (at *call) exporter() *exporter.Exporter {
	c := exporter.Config{Find: at.find, Logger: at.log}
	if at.Aliases != "" {
		c.Aliases = func() (map[wallet.Wallet]string, error) { return readAliases(at.Aliases) }
	}
	return exporter.New(c)
}

// find lists the instances that systemd knows and those that have a socket, by wallet.
func (at *call) find(ctx context.Context) ([]exporter.Instance, error) {
	found := map[wallet.Wallet]exporter.Instance{}
	home, err := paths.Home(at.getenv, os.Geteuid())
	if err != nil {
		home = "" // a service without a home finds the others
	}
	for w, socket := range paths.MetricsSockets(at.getenv, home) {
		found[w] = exporter.Instance{Wallet: w, Socket: socket}
	}
	err = units(ctx, "/etc/systemd/system", found)
	return slices.SortedFunc(maps.Values(found), func(a, b exporter.Instance) int {
		return strings.Compare(a.Wallet.String(), b.Wallet.String())
	}), err
}

// units adds what systemd has loaded, and what starts at boot and is not loaded now.
func units(ctx context.Context, dir string, found map[wallet.Wallet]exporter.Instance) error {
	if runtime.GOOS != "linux" {
		return nil
	}
	if _, err := os.Stat("/run/systemd/system"); err != nil {
		return nil //nolint:nilerr // this machine was not booted with systemd: sd_booted(3)
	}
	ctx, cancel := context.WithTimeout(ctx, systemdTimeout)
	defer cancel()
	m, err := manager.Dial(ctx)
	if err != nil {
		return err
	}
	defer m.Close()
	return noteUnits(ctx, m, dir, found)
}

func noteUnits(ctx context.Context, m *manager.Manager, dir string, found map[wallet.Wallet]exporter.Instance) error {
	loaded, err := m.Services(ctx, strings.Replace(systemd.Template, "@", "@*", 1))
	if err != nil {
		return err
	}
	for _, u := range loaded {
		note(found, u.Name, u.User)
	}
	for _, name := range enabled(dir) {
		if w, ok := instanceOf(name); ok && found[w].Unit == "" {
			note(found, name, m.User(ctx, name))
		}
	}
	return nil
}

func note(found map[wallet.Wallet]exporter.Instance, unit, user string) {
	if w, ok := instanceOf(unit); ok {
		i := found[w]
		i.Wallet, i.Unit, i.User = w, unit, user
		found[w] = i
	}
}

// instanceOf is the wallet of a unit; false for a unit that no instance can have.
func instanceOf(unit string) (wallet.Wallet, bool) {
	before, after, _ := strings.Cut(systemd.Template, "@")
	text := strings.TrimSuffix(strings.TrimPrefix(unit, before+"@"), after)
	w, err := wallet.Parse(text)
	return w, err == nil && unit == systemd.Unit(w)
}

// enabled are the instances that a target of the system starts.
func enabled(dir string) []string {
	links, err := filepath.Glob(filepath.Join(dir, "*.wants", strings.Replace(systemd.Template, "@", "@*", 1)))
	if err != nil {
		return nil
	}
	for n := range links {
		links[n] = filepath.Base(links[n])
	}
	slices.Sort(links)
	return slices.Compact(links)
}

const maxAliases = 1 << 20 // bytes

// readAliases reads lines of WALLET ALIAS; an empty line and one that begins with # say nothing.
func readAliases(path string) (map[wallet.Wallet]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("--aliases: %w", err)
	}
	defer func() { _ = f.Close() }() // read only
	text, err := io.ReadAll(io.LimitReader(f, maxAliases))
	if err != nil {
		return nil, fmt.Errorf("--aliases: %w", err)
	}
	found := map[wallet.Wallet]string{}
	lines := bufio.NewScanner(bytes.NewReader(text))
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		first, alias, _ := strings.Cut(line, " ")
		alias = strings.TrimSpace(alias)
		w, err := wallet.Parse(first)
		if err != nil || !aliasPattern().MatchString(alias) {
			return found, fmt.Errorf("--aliases: line %d of %s is no WALLET ALIAS", n, path)
		}
		found[w] = alias
	}
	return found, lines.Err()
}

func aliasPattern() *regexp.Regexp { return regexp.MustCompile(`\A[a-z0-9][a-z0-9-]{0,62}\z`) }
