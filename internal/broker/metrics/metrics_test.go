package metrics_test

import (
	"context"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/agentkeys/agentkeys/internal/broker"
	"github.com/agentkeys/agentkeys/internal/broker/metrics"
	"github.com/agentkeys/agentkeys/internal/protocol"
)

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
	for _, line := range []string{
		`agentkeys_broker_accounts 2`, `agentkeys_broker_open_pairings 3`,
		`agentkeys_broker_restored_accounts 1`, `agentkeys_broker_clock_held 1`, `agentkeys_broker_waiting_polls 5`, `agentkeys_broker_sessions{state="active"} 4`,
		`agentkeys_broker_database_up 1`, `agentkeys_broker_read_only 0`, `agentkeys_broker_certificate_refused 1`,
		`agentkeys_broker_certificate_expiry_timestamp_seconds 1.9e+09`, `agentkeys_broker_build_info{version="v1"} 1`,
		`agentkeys_broker_http_requests_total{code="200",route="/v1/info"} 1`,
		`agentkeys_broker_http_request_duration_seconds_bucket{route="/v1/info",le="0.005"} 1`,
	} {
		if !strings.Contains(text, line+"\n") {
			t.Errorf("no line %s", line)
		}
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
