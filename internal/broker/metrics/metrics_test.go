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
)

func get(m *metrics.Metrics, path string) (int, string) {
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest("GET", path, nil))
	return w.Code, w.Body.String()
}

func TestExposition(t *testing.T) {
	t.Parallel()
	m := metrics.New("v1", func(context.Context) (broker.Stats, error) {
		return broker.Stats{Accounts: 2, OpenPairings: 3, Sessions: map[string]int{"active": 4}}, nil
	})
	m.Observe("/v1/info", 200, 3*time.Millisecond)
	code, text := get(m, "/metrics")
	if code != 200 {
		t.Fatal(code)
	}
	for _, line := range []string{
		`agentkeys_broker_accounts 2`, `agentkeys_broker_open_pairings 3`, `agentkeys_broker_sessions{state="active"} 4`,
		`agentkeys_broker_database_up 1`, `agentkeys_broker_build_info{version="v1"} 1`,
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
	m := metrics.New("v1", func(context.Context) (broker.Stats, error) { return broker.Stats{}, errors.New("no") })
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
