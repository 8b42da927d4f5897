package exporter

import (
	"cmp"
	"embed"
	"html/template"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	dto "github.com/prometheus/client_model/go"
)

//go:embed page.html
var files embed.FS

// scrapesAtOnce is how many scrapes are answered at the same time; a further one gets 503.
const scrapesAtOnce = 4

// Handler serves /metrics, and a page for people at /.
func (e *Exporter) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(e, promhttp.HandlerOpts{MaxRequestsInFlight: scrapesAtOnce}))
	page := template.Must(template.ParseFS(files, "page.html"))
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Type", "text/html; charset=utf-8")
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")
		h.Set("Cache-Control", "no-store")
		if err := page.Execute(w, rows(e.Ask(r.Context()), time.Now())); err != nil {
			e.c.Logger.Debug("page not written", "error", err)
		}
	})
	return mux
}

// row is an instance as the page shows it. Every field is a text; a missing one is a dash.
type row struct {
	Name, Wallet, State, Backend, Keychain, Probe, Session, Synced string
	Good                                                           bool
}

const missing = "–"

// rows are the instances, those that need a person first.
func rows(answers []Answer, now time.Time) []row {
	list := make([]row, 0, len(answers))
	for _, a := range answers {
		list = append(list, rowOf(a, now))
	}
	slices.SortStableFunc(list, func(a, b row) int { return cmp.Compare(number(a.Good), number(b.Good)) })
	return list
}

func rowOf(a Answer, now time.Time) row {
	w := a.Wallet.String()
	r := row{Name: cmp.Or(a.Alias, w[:10]+"…"), Wallet: w, State: "does not answer", Backend: missing, Keychain: missing, Probe: missing, Session: missing, Synced: missing}
	if !a.Up {
		return r
	}
	holds := held(a.Families["agentkeys_condition"], "code")
	r.Good, r.State = len(holds) == 0, cmp.Or(strings.Join(holds, ", "), "ok")
	r.Backend = cmp.Or(strings.Join(held(a.Families["agentkeys_storage_backend"], "backend"), ", "), missing)
	r.Keychain = cmp.Or(strings.Join(held(a.Families["agentkeys_keychain_state"], "state"), ", "), missing)
	r.Probe = mean(a.Families["agentkeys_keychain_probe_duration_seconds"])
	if at := value(a.Families["agentkeys_session_expiry_timestamp_seconds"]); at > 0 {
		r.Session = "ends in " + span(time.Unix(int64(at), 0).Sub(now))
	}
	if at := value(a.Families["agentkeys_last_sync_timestamp_seconds"]); at > 0 {
		r.Synced = span(now.Sub(time.Unix(int64(at), 0))) + " ago"
	}
	return r
}

// held are the values of a label whose series is 1.
func held(f *dto.MetricFamily, name string) []string {
	var list []string
	for _, m := range f.GetMetric() {
		for _, l := range m.GetLabel() {
			if l.GetName() == name && m.GetGauge().GetValue() == 1 {
				list = append(list, l.GetValue())
			}
		}
	}
	return list
}

func value(f *dto.MetricFamily) float64 {
	for _, m := range f.GetMetric() {
		return m.GetGauge().GetValue()
	}
	return 0
}

// mean is the mean of all observations of a histogram since the instance was started.
func mean(f *dto.MetricFamily) string {
	sum, count := 0.0, uint64(0)
	for _, m := range f.GetMetric() {
		sum += m.GetHistogram().GetSampleSum()
		count += m.GetHistogram().GetSampleCount()
	}
	if count == 0 {
		return missing
	}
	return time.Duration(sum / float64(count) * float64(time.Second)).Round(10 * time.Microsecond).String()
}

// span is a length of time in one unit.
func span(d time.Duration) string {
	for _, unit := range []struct {
		length time.Duration
		suffix string
	}{{24 * time.Hour, " d"}, {time.Hour, " h"}, {time.Minute, " min"}} {
		if d >= 2*unit.length {
			return strconv.FormatInt(int64(d/unit.length), 10) + unit.suffix
		}
	}
	return strconv.FormatInt(int64(max(d, 0)/time.Second), 10) + " s"
}
