package health

import "github.com/prometheus/client_golang/prometheus"

// Kind is the type of a family in the exposition formats of Prometheus.
type Kind string

// The kinds of families that an instance has.
const (
	Counter   Kind = "counter"
	Gauge     Kind = "gauge"
	Histogram Kind = "histogram"
)

// Family is a metric of an instance, whatever its labels are.
type Family struct {
	Name, Help string
	Kind       Kind
}

// Families are all metrics of an instance. What reads the metrics of another process believes no
// other family (agentkeys-exporter).
func Families() []Family {
	var list []Family
	newMetrics("", "", nil, func(f Family) { list = append(list, f) })
	return list
}

func (b builder) register(f Family, c prometheus.Collector) {
	b.to.MustRegister(c)
	b.seen(f)
}
