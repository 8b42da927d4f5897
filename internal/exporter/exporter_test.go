package exporter_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/agentkeys/agentkeys/internal/exporter"
	"github.com/agentkeys/agentkeys/internal/health"
	"github.com/agentkeys/agentkeys/internal/wallet"
	"github.com/agentkeys/agentkeys/internal/words"
)

const (
	first  = "0x00000000000000000000000000000000000000aa"
	second = "0x00000000000000000000000000000000000000bb"
)

func parse(t *testing.T, text string) wallet.Wallet {
	t.Helper()
	w, err := wallet.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// listen serves h on a metrics.sock and returns its path.
func listen(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "ak") // t.TempDir is too long for a socket on macOS
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	path := filepath.Join(dir, words.MetricsSocket)
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: h, ReadHeaderTimeout: time.Minute}
	go func() { _ = s.Serve(l) }()
	t.Cleanup(func() { _ = s.Close() })
	return path
}

// instance is a real instance's metrics.
func instance(w string) http.HandlerFunc {
	m := health.NewMetrics(w, "v1", health.NewConditions(time.Now, slog.New(slog.DiscardHandler), w))
	m.StorageBackend(words.BackendFile)
	m.KeychainState(words.KeychainLocked)
	return m.Handler().ServeHTTP
}

func exporterOf(t *testing.T, instances ...exporter.Instance) *exporter.Exporter {
	t.Helper()
	return exporter.New(exporter.Config{
		Find:   func(context.Context) ([]exporter.Instance, error) { return instances, nil },
		Logger: slog.New(slog.DiscardHandler),
	})
}

func get(t *testing.T, e *exporter.Exporter, path string) string {
	t.Helper()
	w := httptest.NewRecorder()
	e.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	if w.Code != http.StatusOK {
		t.Fatalf("HTTP %d: %s", w.Code, w.Body)
	}
	return w.Body.String()
}

func TestEachInstanceIsItself(t *testing.T) {
	t.Parallel()
	e := exporterOf(t,
		exporter.Instance{Wallet: parse(t, first), Socket: listen(t, instance(first)), User: "agentkeys", Unit: "agentkeys-daemon@" + first + ".service"},
		exporter.Instance{Wallet: parse(t, second), Socket: listen(t, instance(second))},
	)
	text := get(t, e, "/metrics")
	for _, w := range []string{first, second} {
		for _, want := range []string{
			fmt.Sprintf("agentkeys_storage_backend{backend=\"file\",wallet=%q} 1\n", w),
			fmt.Sprintf("agentkeys_keychain_state{state=\"locked\",wallet=%q} 1\n", w),
			fmt.Sprintf("agentkeys_instance_up{wallet=%q} 1\n", w),
		} {
			if !strings.Contains(text, want) {
				t.Errorf("missing: %s", want)
			}
		}
	}
	if n := strings.Count(text, "# TYPE agentkeys_storage_backend "); n != 1 {
		t.Errorf("the family is announced %d times", n)
	}
	page := get(t, e, "/")
	for _, want := range []string{first, second, "locked", "file"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not say %s", want)
		}
	}
}

// What an instance answers costs that instance alone.
func TestAnInstanceThatIsNotToBeBelieved(t *testing.T) {
	t.Parallel()
	text := func(s string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(s)) }
	}
	gauge := "# TYPE agentkeys_credentials gauge\n"
	for name, c := range map[string]struct {
		answer  http.HandlerFunc
		up      int
		dropped string // reason; empty: nothing is counted
	}{
		"says another wallet":           {text(gauge + "agentkeys_credentials{wallet=\"" + second + "\"} 1\n"), 1, "wallet"},
		"says no wallet":                {text(gauge + "agentkeys_credentials 1\n"), 1, "wallet"},
		"says another type":             {text("# TYPE agentkeys_credentials counter\nagentkeys_credentials{wallet=\"" + first + "\"} 1\n"), 1, "type"},
		"says the exporter's own":       {text("# TYPE agentkeys_instance_up gauge\nagentkeys_instance_up{wallet=\"" + second + "\"} 0\n"), 1, "unknown"},
		"says one series twice":         {text(gauge + strings.Repeat("agentkeys_credentials{wallet=\""+first+"\"} 1\n", 2)), 1, "duplicate"},
		"has too many series":           {manySeries, 1, "series"},
		"answers 100 MB":                {endless(100 << 20), 0, "size"},
		"answers half a line":           {text(gauge + "agentkeys_credentials{wallet=\""), 0, "format"},
		"answers something else":        {text("<html>"), 0, "format"},
		"answers with an error":         {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }, 0, "format"},
		"does not answer":               {func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, 0, ""},
		"ends its answer in the middle": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := exporterOf(t,
				exporter.Instance{Wallet: parse(t, first), Socket: listen(t, c.answer)},
				exporter.Instance{Wallet: parse(t, second), Socket: listen(t, instance(second))},
			)
			text := get(t, e, "/metrics")
			wants := []string{
				fmt.Sprintf("agentkeys_instance_up{wallet=%q} %d\n", first, c.up), fmt.Sprintf("agentkeys_instance_up{wallet=%q} 1\n", second),
				fmt.Sprintf("agentkeys_credentials{wallet=%q} 0\n", second),
			}
			if c.dropped != "" {
				wants = append(wants, fmt.Sprintf("agentkeys_exporter_dropped_total{reason=%q} 1\n", c.dropped))
			}
			for _, want := range wants {
				if !strings.Contains(text, want) {
					t.Errorf("missing: %s", want)
				}
			}
			if c.dropped != "series" && strings.Contains(text, "agentkeys_credentials{wallet=\""+first) {
				t.Error("what is not to be believed was passed on")
			}
		})
	}
}

// manySeries answers a known family with more series than an instance may have.
func manySeries(w http.ResponseWriter, _ *http.Request) {
	_, _ = fmt.Fprintln(w, "# TYPE agentkeys_condition gauge")
	for n := range 501 {
		_, _ = fmt.Fprintf(w, "agentkeys_condition{code=\"c%d\",wallet=%q} 1\n", n, first)
	}
}

// endless answers so many bytes of comments, in chunks.
func endless(bytes int) http.HandlerFunc {
	line := []byte("# " + strings.Repeat("x", 1021) + "\n")
	return func(w http.ResponseWriter, _ *http.Request) {
		for n := 0; n < bytes; n += len(line) {
			if _, err := w.Write(line); err != nil {
				return
			}
		}
	}
}

func TestAStoppedInstanceIsZero(t *testing.T) {
	t.Parallel()
	dead := listen(t, instance(first))
	gone := filepath.Join(t.TempDir(), words.MetricsSocket)
	for name, i := range map[string]exporter.Instance{
		"without a socket":        {Wallet: parse(t, second), Unit: "agentkeys-daemon@" + second + ".service"},
		"with a socket that died": {Wallet: parse(t, second), Socket: gone},
	} {
		text := get(t, exporterOf(t, exporter.Instance{Wallet: parse(t, first), Socket: dead}, i), "/metrics")
		if !strings.Contains(text, fmt.Sprintf("agentkeys_instance_up{wallet=%q} 0\n", second)) {
			t.Errorf("%s: not said", name)
		}
	}
}
