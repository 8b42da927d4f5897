package health

import "github.com/prometheus/client_golang/prometheus"

// Gatherer gives the tests the series without the text of an exposition.
func (m *Metrics) Gatherer() prometheus.Gatherer { return m.registry }
