package exporter

import (
	"errors"
	"maps"
	"slices"
	"strings"

	dto "github.com/prometheus/client_model/go"

	"github.com/agentkeys/agentkeys/internal/health"
)

// maxSeries is how many series an instance may have; a real one has about 200.
const maxSeries = 500

// reason is a value of the label of agentkeys_exporter_dropped_total.
type reason string

// A whole answer, or one family of it, is dropped for these reasons.
const (
	dropSize      reason = "size"      // the answer has more than maxAnswer bytes
	dropFormat    reason = "format"    // the answer is no exposition
	dropUnknown   reason = "unknown"   // no instance of this version has this family
	dropType      reason = "type"      // the family has another type
	dropWallet    reason = "wallet"    // a series has the wallet of another instance
	dropDuplicate reason = "duplicate" // two series of the family have the same labels
	dropSeries    reason = "series"    // with this family the instance would have more than maxSeries
)

func reasons() []reason {
	return []reason{dropSize, dropFormat, dropUnknown, dropType, dropWallet, dropDuplicate, dropSeries}
}

func reasonOf(err error) (reason, bool) {
	switch {
	case errors.Is(err, errSize):
		return dropSize, true
	case errors.Is(err, errFormat):
		return dropFormat, true
	}
	return "", false
}

// filter is what of an instance's families is passed on, and how many families are not. It changes the
// families: they get the declared help text, and their samples lose their times.
func (e *Exporter) filter(families map[string]*dto.MetricFamily, wallet string) (map[string]*dto.MetricFamily, map[reason]int) {
	taken, dropped := map[string]*dto.MetricFamily{}, map[reason]int{}
	series := 0
	for _, name := range slices.Sorted(maps.Keys(families)) {
		f := families[name]
		known, ok := e.known[name]
		if !ok {
			dropped[dropUnknown]++
			continue
		}
		if r := objection(f, known.Kind, wallet); r != "" {
			dropped[r]++
			continue
		}
		if series += count(f); series > maxSeries {
			dropped[dropSeries]++
			continue
		}
		f.Help = &known.Help
		for _, m := range f.GetMetric() {
			m.TimestampMs = nil
		}
		taken[name] = f
	}
	return taken, dropped
}

// objection is why a family is not passed on; empty: it is.
func objection(f *dto.MetricFamily, kind health.Kind, wallet string) reason {
	if strings.ToLower(f.GetType().String()) != string(kind) {
		return dropType
	}
	seen := map[string]bool{}
	for _, m := range f.GetMetric() {
		own := 0
		labels := make([]string, 0, len(m.GetLabel()))
		for _, l := range m.GetLabel() {
			if l.GetName() == "wallet" && l.GetValue() == wallet {
				own++
			}
			labels = append(labels, l.GetName()+"\xff"+l.GetValue())
		}
		slices.Sort(labels)
		key := strings.Join(labels, "\xfe")
		switch {
		case own != 1:
			return dropWallet
		case seen[key]:
			return dropDuplicate
		}
		seen[key] = true
	}
	return ""
}

// count is how many series a family is for Prometheus.
func count(f *dto.MetricFamily) int {
	n := 0
	for _, m := range f.GetMetric() {
		n++
		if h := m.GetHistogram(); h != nil {
			n += len(h.GetBucket()) + 1
		}
	}
	return n
}
