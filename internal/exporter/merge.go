package exporter

import (
	"cmp"
	"maps"
	"slices"
	"time"

	dto "github.com/prometheus/client_model/go"
)

// merge is one exposition of the answers and of what the exporter says itself, sorted by name.
func merge(answers []Answer, own []*dto.MetricFamily, took time.Duration, now time.Time) []*dto.MetricFamily {
	all := map[string]*dto.MetricFamily{}
	for _, a := range answers {
		for name, f := range a.Families {
			if all[name] == nil {
				all[name] = &dto.MetricFamily{Name: f.Name, Help: f.Help, Type: f.Type}
			}
			all[name].Metric = append(all[name].Metric, f.GetMetric()...)
		}
	}
	for _, f := range append(own, said(answers, took, now)...) {
		if len(f.GetMetric()) > 0 {
			all[f.GetName()] = f
		}
	}
	return slices.SortedFunc(maps.Values(all), func(a, b *dto.MetricFamily) int { return cmp.Compare(a.GetName(), b.GetName()) })
}

// said are the families of the exporter itself that each scrape makes anew.
func said(answers []Answer, took time.Duration, now time.Time) []*dto.MetricFamily {
	up := gauges("agentkeys_instance_up", "1 if the instance answered, else 0.")
	info := gauges("agentkeys_instance_info", "Always 1; the labels say as which user and in which unit the instance runs.")
	for _, a := range answers {
		add(up, number(a.Up), label("wallet", a.Wallet.String()))
		labels := []*dto.LabelPair{label("unit", a.Unit), label("user", a.User), label("wallet", a.Wallet.String())}
		if a.Alias != "" {
			labels = append([]*dto.LabelPair{label("alias", a.Alias)}, labels...)
		}
		add(info, 1, labels...)
	}
	duration := gauges("agentkeys_exporter_scrape_duration_seconds", "Time that asking all instances took.")
	add(duration, took.Seconds())
	last := gauges("agentkeys_exporter_last_scrape_timestamp_seconds", "When the instances were asked; old in a text file that is not written any more.")
	add(last, float64(now.Unix()))
	return []*dto.MetricFamily{up, info, duration, last}
}

func gauges(name, help string) *dto.MetricFamily {
	return &dto.MetricFamily{Name: &name, Help: &help, Type: dto.MetricType_GAUGE.Enum()}
}

func add(f *dto.MetricFamily, value float64, labels ...*dto.LabelPair) {
	f.Metric = append(f.Metric, &dto.Metric{Label: labels, Gauge: &dto.Gauge{Value: &value}})
}

func label(name, value string) *dto.LabelPair { return &dto.LabelPair{Name: &name, Value: &value} }

func number(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}
