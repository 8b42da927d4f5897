// Package metrics counts the broker's work and serves it on a listener of its own: /metrics,
// /livez and /readyz. No label holds a wallet, a name or an address.
package metrics

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/agentkeys/agentkeys/internal/broker"
	"github.com/agentkeys/agentkeys/internal/protocol"
)

const statsTimeout = 2 * time.Second

// Stats reads the counts of the database.
type Stats func(context.Context) (broker.Stats, error)

// Certificate is the state of the listener's certificate.
type Certificate struct {
	NotAfter time.Time // zero: there is none, or it does not expire
	Problem  string    // why the files of a newer one cannot be used; empty: they can
}

// Config is what New needs; every field is required.
type Config struct {
	Version     string
	Stats       Stats
	ReadOnly    func() string // why nothing can be written, a reason of package protocol; empty: it can be written
	Certificate func() Certificate
}

// Metrics is a registry with the metrics of one broker.
type Metrics struct {
	c        Config
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
}

// New makes the metrics of one broker.
func New(c Config) *Metrics {
	m := &Metrics{
		c: c, registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "agentkeys_broker_http_requests_total", Help: "Answers by route and status code; 499: the caller went away.",
		}, []string{"route", "code"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "agentkeys_broker_http_request_duration_seconds", Help: "Time to answer, long polls included.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2, 10, 25, 50},
		}, []string{"route"}),
	}
	build := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "agentkeys_broker_build_info", Help: "Always 1; the version is the label.", ConstLabels: prometheus.Labels{"version": c.Version},
	}, func() float64 { return 1 })
	m.registry.MustRegister(m.requests, m.duration, build, &statsCollector{stats: c.Stats}, &hostCollector{c},
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Observe counts one answer.
func (m *Metrics) Observe(route string, status int, d time.Duration) {
	m.requests.WithLabelValues(route, strconv.Itoa(status)).Inc()
	m.duration.WithLabelValues(route).Observe(d.Seconds())
}

// Handler serves /metrics, /livez and /readyz. Ready means that the database answers and can be
// written.
func (m *Metrics) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { say(w, http.StatusOK, "ok\n") })
	mux.HandleFunc("GET /readyz", m.readyz)
	return mux
}

// readyz lists what is wrong; with ?verbose also what does not stop the broker from working.
func (m *Metrics) readyz(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), statsTimeout)
	defer cancel()
	status, text := http.StatusOK, ""
	if _, err := m.c.Stats(ctx); err != nil {
		status, text = http.StatusServiceUnavailable, text+"- the database does not answer\n"
	}
	if reason := m.c.ReadOnly(); reason != "" {
		status, text = http.StatusServiceUnavailable, text+"- read_only: "+protocol.ReadOnlyText(reason)+"; what only reads is answered\n"
	}
	c := m.c.Certificate()
	if c.Problem != "" && r.URL.Query().Has("verbose") {
		text += "- certificate: the one of before is served: " + c.Problem + "\n"
	}
	if !c.NotAfter.IsZero() && r.URL.Query().Has("verbose") {
		text += "- certificate: good until " + c.NotAfter.UTC().Format(time.RFC3339) + "\n"
	}
	first := "ok\n"
	if status != http.StatusOK {
		first = "not ready\n"
	}
	say(w, status, first+text)
}

func say(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text)) // if it fails, the client has closed the connection
}

// statsCollector reads the database when a scrape arrives.
type statsCollector struct{ stats Stats }

// measure is one gauge of the database without labels.
type measure struct {
	desc *prometheus.Desc
	of   func(broker.Stats) float64
}

func measures() []measure {
	of := func(name, help string, value func(broker.Stats) float64) measure {
		return measure{prometheus.NewDesc("agentkeys_broker_"+name, help, nil, nil), value}
	}
	return []measure{
		of("accounts", "Owners.", func(s broker.Stats) float64 { return float64(s.Accounts) }),
		of("restored_accounts", "Owners whose agents wait for them since the database was put back.",
			func(s broker.Stats) float64 { return float64(s.RestoredAccounts) }),
		of("open_pairings", "Pair codes that live and that nobody decided.", func(s broker.Stats) float64 { return float64(s.OpenPairings) }),
		of("clock_held", "1 while no session lapses because the clock jumped: agentkeys-broker clock --accept.",
			func(s broker.Stats) float64 { return number(s.ClockHeld) }),
		of("waiting_polls", "Long polls that wait for a change.", func(s broker.Stats) float64 { return float64(s.WaitingPolls) }),
	}
}

func descriptions() (sessions, up *prometheus.Desc) {
	return prometheus.NewDesc("agentkeys_broker_sessions", "Sessions by state; a wallet has one that did not end.", []string{"state"}, nil),
		prometheus.NewDesc("agentkeys_broker_database_up", "1 when the database answered this scrape.", nil, nil)
}

// Describe implements prometheus.Collector.
func (c *statsCollector) Describe(out chan<- *prometheus.Desc) {
	sessions, up := descriptions()
	out <- sessions
	out <- up
	for _, m := range measures() {
		out <- m.desc
	}
}

// Collect implements prometheus.Collector.
func (c *statsCollector) Collect(out chan<- prometheus.Metric) {
	sessions, up := descriptions()
	ctx, cancel := context.WithTimeout(context.Background(), statsTimeout)
	defer cancel()
	s, err := c.stats(ctx)
	out <- prometheus.MustNewConstMetric(up, prometheus.GaugeValue, number(err == nil))
	if err != nil {
		return
	}
	for _, m := range measures() {
		out <- prometheus.MustNewConstMetric(m.desc, prometheus.GaugeValue, m.of(s))
	}
	for state, n := range s.Sessions {
		out <- prometheus.MustNewConstMetric(sessions, prometheus.GaugeValue, float64(n), state)
	}
}
