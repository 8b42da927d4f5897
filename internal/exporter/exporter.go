// Package exporter gathers the metrics of all instances of the daemon on one machine, so that
// Prometheus has one target for each machine. It asks each instance on its metrics.sock at every
// scrape and keeps nothing between two scrapes but counters of its own.
//
// It believes no instance more than it needs to. An instance that does not answer in a second, or
// answers something that is no exposition, has the value 0 of agentkeys_instance_up and no other
// series. Of an exposition it takes the families that an instance of this version has
// (health.Families), of the right type, with the wallet of the instance's directory, and counts what
// it drops (ADR 29).
package exporter

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/agentkeys/agentkeys/internal/health"
	"github.com/agentkeys/agentkeys/internal/wallet"
)

// Instance is one instance of the daemon, running or not.
type Instance struct {
	Wallet wallet.Wallet
	Socket string // the path of its metrics.sock; empty: it cannot be asked
	User   string // the user as whom its unit runs; empty: not known
	Unit   string // the systemd unit; empty: none
}

// Config is what an Exporter needs.
type Config struct {
	// Find lists the instances of the machine. With an error it may still return those that it found.
	Find func(context.Context) ([]Instance, error)
	// Aliases are the aliases that are shown for wallets; nil: none. It is called at each scrape.
	Aliases func() (map[wallet.Wallet]string, error)
	Logger  *slog.Logger
}

const (
	deadline = time.Second // for one instance, from the connection to the end of its answer
	atOnce   = 16          // instances that are asked at the same time
)

// Exporter is a prometheus.Gatherer of all instances.
type Exporter struct {
	c        Config
	known    map[string]health.Family
	dropped  *prometheus.CounterVec
	registry *prometheus.Registry // of what the exporter counts itself

	mu   sync.Mutex
	told string // the last error of Find or Aliases that was logged
}

// New makes an Exporter.
func New(c Config) *Exporter {
	e := &Exporter{
		c: c, known: map[string]health.Family{}, registry: prometheus.NewRegistry(),
		dropped: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "agentkeys_exporter_dropped_total", Help: "What instances answered and was not passed on.",
		}, []string{"reason"}),
	}
	for _, f := range health.Families() {
		e.known[f.Name] = f
	}
	for _, r := range reasons() {
		e.dropped.WithLabelValues(string(r))
	}
	e.registry.MustRegister(e.dropped)
	return e
}

// Gather asks all instances. It returns no error: what cannot be had is a value of a metric.
func (e *Exporter) Gather() ([]*dto.MetricFamily, error) {
	began := time.Now()
	answers := e.Ask(context.Background())
	own, err := e.registry.Gather()
	if err != nil {
		return nil, err
	}
	return merge(answers, own, time.Since(began), time.Now()), nil
}

// Answer is what one instance answered.
type Answer struct {
	Instance

	Alias    string                       // empty: none is known
	Up       bool                         // it answered with an exposition
	Families map[string]*dto.MetricFamily // by name
}

// Ask asks all instances, at most atOnce at the same time, and returns their answers in the order of
// Find.
func (e *Exporter) Ask(ctx context.Context) []Answer {
	instances, err := e.c.Find(ctx)
	aliases := map[wallet.Wallet]string{}
	if e.c.Aliases != nil {
		var unread error
		aliases, unread = e.c.Aliases()
		if err == nil {
			err = unread
		}
	}
	e.tell(err)
	answers := make([]Answer, len(instances))
	turns := make(chan struct{}, atOnce)
	var asking sync.WaitGroup
	for n, one := range instances {
		answers[n] = Answer{Instance: one, Alias: aliases[one.Wallet]}
		if one.Socket == "" {
			continue
		}
		turns <- struct{}{}
		asking.Go(func() {
			defer func() { <-turns }()
			answers[n].Families, answers[n].Up = e.ask(ctx, one)
		})
	}
	asking.Wait()
	return answers
}

// ask is the answer of one instance; false: there was none, or none that can be read.
func (e *Exporter) ask(ctx context.Context, i Instance) (map[string]*dto.MetricFamily, bool) {
	ctx, cancel := context.WithTimeout(ctx, deadline)
	defer cancel()
	families, err := fetch(ctx, i.Socket)
	if err != nil {
		if r, ok := reasonOf(err); ok {
			e.dropped.WithLabelValues(string(r)).Inc()
		}
		e.c.Logger.Debug("no metrics of an instance", "wallet", i.Wallet.String(), "error", err)
		return nil, false
	}
	taken, dropped := e.filter(families, i.Wallet.String())
	for r, count := range dropped {
		e.dropped.WithLabelValues(string(r)).Add(float64(count))
	}
	return taken, true
}

// tell logs an error once, until a different one, or none, takes its place.
func (e *Exporter) tell(err error) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	e.mu.Lock()
	changed := e.told != text
	e.told = text
	e.mu.Unlock()
	if changed && text != "" {
		e.c.Logger.Warn("instances may be missing", "error", err)
	}
}
