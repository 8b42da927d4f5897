package health_test

import (
	"bytes"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"pgregory.net/rapid"

	"github.com/agentkeys/agentkeys/internal/health"
	"github.com/agentkeys/agentkeys/internal/health/condition"
	"github.com/agentkeys/agentkeys/internal/words"
	"github.com/agentkeys/agentkeys/test/needs"
)

var update = flag.Bool("update", false, "write the golden file")

// used is an instance that did one of each.
func used() *health.Metrics {
	c := health.NewConditions(time.Now, slog.New(slog.DiscardHandler), wallet)
	c.Set(condition.FellBackToFile, true, "locked")
	m := health.NewMetrics(wallet, "v1.2.3", c)
	m.Probe("gnome-keyring", "locked", 0.004)
	m.KeychainState("locked")
	m.StorageBackend("file")
	m.StoreOperation("save", "file", "ok")
	m.StoreFallback("locked")
	m.StoreInDoubt(true)
	m.StateWrite()
	m.Session(7, 1800000000)
	m.Renewal("ok")
	m.BrokerRequest("sync", "not_modified", 50*time.Second)
	m.BrokerUp(true)
	m.Synced(1797400000)
	m.CredentialRequest("agent.sock", "ok", 90*time.Microsecond)
	m.Credentials(2)
	m.ClockOffset(-1.5)
	m.Lease(90*time.Second, 72*time.Hour)
	return m
}

func scrape(t *testing.T, m *health.Metrics) string {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if w.Code != http.StatusOK {
		t.Fatalf("HTTP %d: %s", w.Code, w.Body)
	}
	return strings.ReplaceAll(w.Body.String(), runtime.Version(), "GOVERSION")
}

func TestTheWholeExposition(t *testing.T) {
	t.Parallel()
	path := filepath.Join("testdata", "metrics.golden")
	got := scrape(t, used())
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
}

func TestPromtoolAcceptsTheNames(t *testing.T) {
	t.Parallel()
	needs.Programs(t, "promtool")
	cmd := exec.Command("promtool", "check", "metrics")
	cmd.Stdin = strings.NewReader(scrape(t, used()))
	out, err := cmd.CombinedOutput()
	if err != nil || len(bytes.TrimSpace(out)) > 0 {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestEverySeriesCarriesTheWallet(t *testing.T) {
	t.Parallel()
	families, err := used().Gatherer().Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			var got string
			for _, l := range m.GetLabel() {
				if l.GetName() == "wallet" {
					got = l.GetValue()
				}
			}
			if got != wallet || !strings.HasPrefix(f.GetName(), "agentkeys_") {
				t.Errorf("%s: %v", f.GetName(), m)
			}
			if h := m.GetHistogram(); h != nil && (h.Schema == nil || len(h.GetBucket()) != 11) {
				t.Errorf("%s: native and classic buckets are both wanted: %v", f.GetName(), h)
			}
		}
	}
}

func TestTheStatesAreTheStores(t *testing.T) {
	t.Parallel()
	m := used()
	for _, s := range words.KeychainStates() {
		m.KeychainState(s)
		text := scrape(t, m)
		one := fmt.Sprintf("agentkeys_keychain_state{state=%q,wallet=%q} 1", s, wallet)
		if !strings.Contains(text, one) || strings.Count(text, "agentkeys_keychain_state{") != len(words.KeychainStates()) {
			t.Errorf("%s:\n%s", s, text)
		}
	}
}

func TestProbesThatEndByTheirTimeOutAreCountedApart(t *testing.T) {
	t.Parallel()
	m := used()
	line := fmt.Sprintf("agentkeys_keychain_probe_timeouts_total{wallet=%q} ", wallet)
	if text := scrape(t, m); !strings.Contains(text, line+"0\n") {
		t.Error(text)
	}
	m.Probe("gnome-keyring", words.KeychainHung, 2)
	m.Probe("gnome-keyring", words.KeychainUnlocked, 1.9)
	if text := scrape(t, m); !strings.Contains(text, line+"1\n") {
		t.Error(text)
	}
}

func TestAnUnknownStateIsOtherUntilItIsKnownAgain(t *testing.T) {
	t.Parallel()
	m := used()
	m.StorageBackend("cloud")
	if text := scrape(t, m); !strings.Contains(text, `agentkeys_storage_backend{backend="other",wallet="`+wallet+`"} 1`) {
		t.Error(text)
	}
	m.StorageBackend("none")
	if text := scrape(t, m); strings.Contains(text, `backend="other"`) {
		t.Error(text)
	}
}

// Whatever a broker, a keychain or a caller says, the number of series has a bound.
func TestLabelsAreBounded(t *testing.T) {
	t.Parallel()
	m := used()
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.String()
		a, b, c := text.Draw(t, "a"), text.Draw(t, "b"), text.Draw(t, "c")
		m.Probe("x"+a, words.KeychainState("x"+b), 1)
		m.KeychainState(words.KeychainState("x" + a))
		m.StorageBackend(words.Backend("x" + a))
		m.StoreOperation("x"+a, words.Backend("x"+b), words.StoreResult("x"+c))
		m.StoreFallback("x" + a)
		m.Renewal("x" + a)
		m.BrokerRequest("x"+a, "x"+b, time.Second)
		m.CredentialRequest("x"+a, "x"+b, time.Second)
	})
	families, err := m.Gatherer().Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if n := len(f.GetMetric()); n > len(condition.Declared()) {
			t.Errorf("%s has %d series", f.GetName(), n)
		}
	}
}

// Every family that an instance exposes is declared, with its text and kind.
func TestFamiliesAreTheExposition(t *testing.T) {
	t.Parallel()
	m := used()
	m.Process(prometheus.NewProcessCollector(prometheus.ProcessCollectorOpts{})) //nolint:staticcheck // its successor links database/sql
	text := scrape(t, m)
	for _, f := range health.Families() {
		if want := "# HELP " + f.Name + " " + f.Help + "\n# TYPE " + f.Name + " " + string(f.Kind) + "\n"; !strings.Contains(text, want) {
			t.Errorf("not exposed: %s", want)
		}
	}
	if got, want := strings.Count(text, "# TYPE "), len(health.Families()); got != want {
		t.Errorf("%d families are exposed and %d are declared", got, want)
	}
}
