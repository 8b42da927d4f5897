package health

import (
	"strings"

	"github.com/prometheus/client_golang/prometheus"
)

// processFamilies are the metrics of the process itself that an instance has: since when it runs, and
// what it takes of the machine.
func processFamilies() []Family {
	return []Family{
		{"process_open_fds", "Number of open file descriptors.", Gauge},
		{"process_resident_memory_bytes", "Resident memory size in bytes.", Gauge},
		{"process_start_time_seconds", "Start time of the process since unix epoch in seconds.", Gauge},
	}
}

// Process adds the metrics of the process, which c collects with others (collectors.NewProcessCollector).
func (m *Metrics) Process(c prometheus.Collector) {
	prometheus.WrapRegistererWith(prometheus.Labels{"wallet": m.wallet}, m.registry).MustRegister(few{c})
}

// few passes on the families of processFamilies alone.
type few struct{ all prometheus.Collector }

// Describe implements prometheus.Collector.
func (f few) Describe(out chan<- *prometheus.Desc) {
	passed(f.all.Describe, out, func(d *prometheus.Desc) *prometheus.Desc { return d })
}

// Collect implements prometheus.Collector.
func (f few) Collect(out chan<- prometheus.Metric) {
	passed(f.all.Collect, out, prometheus.Metric.Desc)
}

// passed sends to out what source sends and what is described as one of processFamilies.
func passed[T any](source func(chan<- T), out chan<- T, describe func(T) *prometheus.Desc) {
	all := make(chan T)
	go func() {
		defer close(all)
		source(all)
	}()
	for one := range all {
		text := describe(one).String() // a Desc tells its name in no other way
		for _, f := range processFamilies() {
			if strings.Contains(text, `fqName: "`+f.Name+`"`) {
				out <- one
			}
		}
	}
}
