package health

import (
	"net/http"
	"runtime"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/agentkeys/agentkeys/internal/words"
)

// Metrics is the registry of one instance. Every series has its wallet. The values of labels
// are bounded sets (labels.go); any other value is counted as "other".
type Metrics struct {
	wallet   string
	registry *prometheus.Registry
	labels   labels

	probe         *prometheus.HistogramVec
	probeTimeouts prometheus.Counter
	keychainState oneOf
	backend       oneOf
	operations    *prometheus.CounterVec
	fallbacks     *prometheus.CounterVec
	inDoubt       prometheus.Gauge
	stateWrites   prometheus.Counter
	generation    prometheus.Gauge
	expiry        prometheus.Gauge
	renewals      *prometheus.CounterVec
	broker        *prometheus.HistogramVec
	brokerUp      prometheus.Gauge
	lastSync      prometheus.Gauge
	clockOffset   prometheus.Gauge
	lease         prometheus.Gauge
	leaseUsed     prometheus.Gauge
	requests      *prometheus.CounterVec
	requestTime   prometheus.Histogram
	credentials   prometheus.Gauge
}

// NewMetrics makes the metrics of the instance of wallet. c is read at each scrape.
func NewMetrics(wallet, version string, c *Conditions) *Metrics {
	return newMetrics(wallet, version, c, func(Family) {})
}

func newMetrics(wallet, version string, c *Conditions, seen func(Family)) *Metrics {
	m := &Metrics{wallet: wallet, registry: prometheus.NewRegistry(), labels: newLabels()}
	b := builder{prometheus.WrapRegistererWith(prometheus.Labels{"wallet": wallet}, m.registry), seen}
	m.addStore(b)
	m.addBroker(b)
	m.addCredentials(b)
	conditions := Family{"agentkeys_condition", "1 while the condition holds, else 0.", Gauge}
	b.register(conditions, collector{c, prometheus.NewDesc(conditions.Name, conditions.Help, []string{"code"}, nil)})
	for _, f := range processFamilies() {
		seen(f)
	}
	b.gaugeVec("agentkeys_build_info", "Always 1; the labels say which build runs.", "version", "goversion").
		WithLabelValues(version, runtime.Version()).Set(1)
	return m
}

func (m *Metrics) addStore(b builder) {
	m.probe = b.histogramVec("agentkeys_keychain_probe_duration_seconds", "Time that a probe of the keychain took.", "provider", "result")
	m.probeTimeouts = b.counter("agentkeys_keychain_probe_timeouts_total", "Probes that the keychain did not answer in time.")
	m.keychainState = newOneOf(b.gaugeVec("agentkeys_keychain_state", "1 for the state that the keychain is in, 0 for the others.", "state"), m.labels.state)
	m.backend = newOneOf(b.gaugeVec("agentkeys_storage_backend", "1 for the place where the session is stored, 0 for the others.", "backend"), m.labels.backend)
	m.operations = b.counterVec("agentkeys_store_operations_total", "Operations of the session store.", "operation", "backend", "result")
	m.fallbacks = b.counterVec("agentkeys_store_fallbacks_total", "Saves that went to the file because the keychain did not take them.", "reason")
	startAtZero(m.fallbacks, set{string(words.KeychainLocked), string(words.KeychainHung), "put", "read_back", "not_seen"})
	m.inDoubt = b.gauge("agentkeys_store_in_doubt", "1 while a change of the keychain is not confirmed.")
	m.stateWrites = b.counter("agentkeys_state_writes_total", "Durable writes to the state directory.")
	m.generation = b.gauge("agentkeys_session_generation", "How often the session was saved.")
	m.expiry = b.gauge("agentkeys_session_expiry_timestamp_seconds", "When the session ends unless it is renewed; 0 without a session.")
	m.renewals = b.counterVec("agentkeys_session_renewals_total", "Renewals of the session.", "result")
	startAtZero(m.renewals, set{"ok", "error"})
}

func (m *Metrics) addBroker(b builder) {
	m.broker = b.histogramVec("agentkeys_broker_request_duration_seconds", "Time until the broker's answer was read; long polls include their wait.", "operation", "code")
	m.brokerUp = b.gauge("agentkeys_broker_up", "1 if the last request reached the broker, else 0.")
	m.lastSync = b.gauge("agentkeys_last_sync_timestamp_seconds", "When the broker last answered; 0 for never.")
	m.lease = b.gauge("agentkeys_lease_seconds", "How long the owner lets the instance serve without the broker.")
	m.leaseUsed = b.gauge("agentkeys_lease_used_seconds", "How long the instance has been without the broker, as it counts that; 0 while the broker answers.")
	m.clockOffset = b.gauge("agentkeys_clock_offset_seconds", "The broker's clock minus this machine's.")
}

func (m *Metrics) addCredentials(b builder) {
	m.requests = b.counterVec("agentkeys_credential_requests_total", "Requests of local programs for a credential.", "interface", "result")
	startAtZero(m.requests.MustCurryWith(prometheus.Labels{"interface": words.AgentSocket}), m.labels.requestResult)
	m.requestTime = b.histogram("agentkeys_credential_request_duration_seconds", "Time that a local request for a credential took.")
	m.credentials = b.gauge("agentkeys_credentials", "Credentials that can be served now.")
}

// Handler serves /metrics. Native histograms go to scrapers that ask for protobuf.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{
		DisableCompression:  true, // the answer has a few KiB and goes over a local socket
		MaxRequestsInFlight: 4,
		Timeout:             5 * time.Second,
	})
}
