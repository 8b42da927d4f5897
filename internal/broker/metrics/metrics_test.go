package metrics_test

import (
	"context"
	"errors"
	"flag"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/agentkeys/agentkeys/internal/broker"
	"github.com/agentkeys/agentkeys/internal/broker/metrics"
	"github.com/agentkeys/agentkeys/internal/protocol"
)

var update = flag.Bool("update", false, "write the golden file")

func get(m *metrics.Metrics, path string) (int, string) {
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest("GET", path, nil))
	return w.Code, w.Body.String()
}

// fine is the metrics of a broker that nothing is wrong with, but for the change.
func fine(change func(*metrics.Config)) *metrics.Metrics {
	c := metrics.Config{
		Version: "v1", ReadOnly: func() string { return "" }, Certificate: func() metrics.Certificate { return metrics.Certificate{} },
		Stats: func(context.Context) (broker.Stats, error) {
			return broker.Stats{Accounts: 2, RestoredAccounts: 1, OpenPairings: 3, ClockHeld: true, WaitingPolls: 5, Sessions: map[string]int{"active": 4}}, nil
		},
	}
	change(&c)
	return metrics.New(c)
}

func TestReadiness(t *testing.T) {
	t.Parallel()
	refused := func(c *metrics.Config) {
		c.Certificate = func() metrics.Certificate {
			return metrics.Certificate{NotAfter: time.Unix(1_900_000_000, 0), Problem: "no such file"}
		}
	}
	full := func(c *metrics.Config) { c.ReadOnly = func() string { return protocol.ReadOnlyNoSpace } }
	for name, test := range map[string]struct {
		change func(*metrics.Config)
		path   string
		code   int
		text   string
	}{
		"fine":                           {func(*metrics.Config) {}, "/readyz", 200, "ok\n"},
		"fine, verbose":                  {func(*metrics.Config) {}, "/readyz?verbose", 200, "ok\n"},
		"a full disk":                    {full, "/readyz", 503, "not ready\n- read_only: no space is left on the broker's disk; what only reads is answered\n"},
		"a certificate refused":          {refused, "/readyz", 200, "ok\n"},
		"a certificate refused, verbose": {refused, "/readyz?verbose", 200, "ok\n- certificate: the one of before is served: no such file\n- certificate: good until 2030-03-17T17:46:40Z\n"},
	} {
		if code, text := get(fine(test.change), test.path); code != test.code || text != test.text {
			t.Errorf("%s: %d %q", name, code, text)
		}
	}
	if _, text := get(fine(full), "/metrics"); !strings.Contains(text, "agentkeys_broker_read_only 1\n") || strings.Contains(text, "certificate_expiry") {
		t.Error(text)
	}
}

// ours is the text without what the Go runtime and the process tell, which differs at each scrape.
func ours(text string) string {
	var out strings.Builder
	for line := range strings.Lines(text) {
		if strings.HasPrefix(strings.TrimPrefix(strings.TrimPrefix(line, "# HELP "), "# TYPE "), "agentkeys_") {
			out.WriteString(line)
		}
	}
	return out.String()
}

func TestExposition(t *testing.T) {
	t.Parallel()
	m := fine(func(c *metrics.Config) {
		c.Certificate = func() metrics.Certificate {
			return metrics.Certificate{NotAfter: time.Unix(1_900_000_000, 0), Problem: "the key is another certificate's"}
		}
	})
	m.Observe("/v1/info", 200, 3*time.Millisecond)
	code, text := get(m, "/metrics")
	if code != 200 {
		t.Fatal(code)
	}
	path := filepath.Join("testdata", "metrics.golden")
	got := ours(text)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Error(diff)
	}
	problems, err := promlint.New(strings.NewReader(text)).Lint()
	if err != nil || len(problems) > 0 {
		t.Error(problems, err)
	}
}

func TestADatabaseThatDoesNotAnswer(t *testing.T) {
	t.Parallel()
	m := fine(func(c *metrics.Config) {
		c.Stats = func(context.Context) (broker.Stats, error) { return broker.Stats{}, errors.New("no") }
	})
	if code, _ := get(m, "/readyz"); code != 503 {
		t.Errorf("ready: %d", code)
	}
	if code, _ := get(m, "/livez"); code != 200 {
		t.Errorf("live: %d", code)
	}
	if code, text := get(m, "/metrics"); code != 200 || !strings.Contains(text, "agentkeys_broker_database_up 0\n") {
		t.Errorf("%d %s", code, text)
	}
}
