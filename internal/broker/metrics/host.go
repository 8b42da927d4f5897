package metrics

import "github.com/prometheus/client_golang/prometheus"

// hostCollector reports what the broker depends on: its disk and its certificate.
type hostCollector struct{ c Config }

func hostDescriptions() (readOnly, expiry, refused *prometheus.Desc) {
	return prometheus.NewDesc("agentkeys_broker_read_only", "1 while nothing can be written: the disk is full, mounted read-only or broken.", nil, nil),
		prometheus.NewDesc("agentkeys_broker_certificate_expiry_timestamp_seconds", "Last second of the certificate that is served; absent where there is none or it has no end.", nil, nil),
		prometheus.NewDesc("agentkeys_broker_certificate_refused", "1 while the certificate's files hold what cannot be used, and the one of before is served.", nil, nil)
}

// Describe implements prometheus.Collector.
func (h *hostCollector) Describe(out chan<- *prometheus.Desc) {
	readOnly, expiry, refused := hostDescriptions()
	for _, d := range []*prometheus.Desc{readOnly, expiry, refused} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (h *hostCollector) Collect(out chan<- prometheus.Metric) {
	readOnly, expiry, refused := hostDescriptions()
	c := h.c.Certificate()
	out <- prometheus.MustNewConstMetric(readOnly, prometheus.GaugeValue, number(h.c.ReadOnly() != ""))
	out <- prometheus.MustNewConstMetric(refused, prometheus.GaugeValue, number(c.Problem != ""))
	if !c.NotAfter.IsZero() {
		out <- prometheus.MustNewConstMetric(expiry, prometheus.GaugeValue, float64(c.NotAfter.Unix()))
	}
}

func number(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
