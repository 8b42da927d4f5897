package health

import (
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/agentkeys/agentkeys/internal/health/condition"
)

// builder makes metrics and registers them. A name that is used twice is a programming error
// and panics at the start.
type builder struct {
	to   prometheus.Registerer
	seen func(Family) // each family that was registered
}

func (b builder) gauge(name, help string) prometheus.Gauge {
	g := prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help})
	b.register(Family{name, help, Gauge}, g)
	return g
}

func (b builder) gaugeVec(name, help string, labels ...string) *prometheus.GaugeVec {
	g := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, labels)
	b.register(Family{name, help, Gauge}, g)
	return g
}

func (b builder) counter(name, help string) prometheus.Counter {
	c := prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	b.register(Family{name, help, Counter}, c)
	return c
}

func (b builder) counterVec(name, help string, labels ...string) *prometheus.CounterVec {
	c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	b.register(Family{name, help, Counter}, c)
	return c
}

func (b builder) histogram(name, help string) prometheus.Histogram {
	h := prometheus.NewHistogram(histogramOpts(name, help))
	b.register(Family{name, help, Histogram}, h)
	return h
}

func (b builder) histogramVec(name, help string, labels ...string) *prometheus.HistogramVec {
	h := prometheus.NewHistogramVec(histogramOpts(name, help), labels)
	b.register(Family{name, help, Histogram}, h)
	return h
}

// histogramOpts are buckets from 1 ms to 2 s, and native buckets whose number is bounded.
func histogramOpts(name, help string) prometheus.HistogramOpts {
	return prometheus.HistogramOpts{
		Name: name, Help: help,
		Buckets:                         []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2},
		NativeHistogramBucketFactor:     1.1,
		NativeHistogramMaxBucketNumber:  100,
		NativeHistogramMinResetDuration: time.Hour,
	}
}

// oneOf is a gauge with one series for each value, of which one is 1.
type oneOf struct {
	vec    *prometheus.GaugeVec
	values set
}

// newOneOf begins with every value at 0, since none is known yet.
func newOneOf(vec *prometheus.GaugeVec, values set) oneOf {
	for _, v := range values {
		vec.WithLabelValues(v).Set(0)
	}
	return oneOf{vec: vec, values: values}
}

func (o oneOf) set(value string) {
	for _, v := range o.values {
		o.vec.WithLabelValues(v).Set(number(v == value))
	}
	if slices.Contains(o.values, value) {
		o.vec.DeleteLabelValues(other)
		return
	}
	o.vec.WithLabelValues(other).Set(1)
}

// collector reports the conditions that hold at the time of the scrape.
type collector struct {
	conditions *Conditions
	desc       *prometheus.Desc
}

// Describe implements prometheus.Collector.
func (c collector) Describe(ch chan<- *prometheus.Desc) { ch <- c.desc }

// Collect implements prometheus.Collector.
func (c collector) Collect(ch chan<- prometheus.Metric) {
	for _, d := range condition.Declared() {
		holds := number(c.conditions.Has(d.Code))
		ch <- prometheus.MustNewConstMetric(c.desc, prometheus.GaugeValue, holds, string(d.Code))
	}
}

// startAtZero makes the series of each value, so that the first event is an increase for Prometheus,
// which does not see one where a series begins.
func startAtZero(vec *prometheus.CounterVec, values set) {
	for _, v := range values {
		vec.WithLabelValues(v)
	}
}
