package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/agentkeys/agentkeys/internal/broker/brokertest"
	"github.com/agentkeys/agentkeys/internal/cli"
	"github.com/agentkeys/agentkeys/internal/health/condition"
	"github.com/agentkeys/agentkeys/internal/settings"
	"github.com/agentkeys/agentkeys/internal/stdio"
	"github.com/agentkeys/agentkeys/internal/wallet"
	"github.com/agentkeys/agentkeys/internal/words"
)

// reloadable is an instance with settings in dir, and what it tells systemd.
func reloadable(t *testing.T) (i *instance, dir string, systemd *net.UnixConn) {
	t.Helper()
	dir, err := os.MkdirTemp("", "ak") // t.TempDir is too long for a socket on macOS
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	systemd, err = net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(dir, "notify"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = systemd.Close() })
	t.Setenv("NOTIFY_SOCKET", filepath.Join(dir, "notify")) // go-systemd looks at the process
	p := &program{stderr: io.Discard, stdout: stdio.NewOutput(io.Discard), env: map[string]string{
		"AGENTKEYS_HOME": filepath.Join(dir, "home"), "AGENTKEYS_CONFIG_DIR": dir, "AGENTKEYS_SESSION_STORE": "file",
		"NOTIFY_SOCKET": filepath.Join(dir, "notify"),
	}}
	w, err := wallet.Parse(online)
	if err != nil {
		t.Fatal(err)
	}
	if i, err = p.newInstance(t.Context(), w); err != nil {
		t.Fatal(err)
	}
	return i, dir, systemd
}

func told(t *testing.T, systemd *net.UnixConn) string {
	t.Helper()
	if err := systemd.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 4096)
	n, err := systemd.Read(buf)
	if err != nil {
		t.Fatal(err)
	}
	return string(buf[:n])
}

func TestRefusedSettingsAreACondition(t *testing.T) {
	i, dir, systemd := reloadable(t)
	file := filepath.Join(dir, "daemon.toml")
	metric := func() string {
		rec := httptest.NewRecorder()
		i.metrics.Handler().ServeHTTP(rec, httptest.NewRequest("GET", "/metrics", nil))
		return rec.Body.String()
	}
	held := fmt.Sprintf("agentkeys_condition{code=%q,wallet=%q} 1", "settings_refused", online)
	if err := os.WriteFile(file, []byte("log_level = \"loud\"\ncolour = 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	i.reload()
	if line := told(t, systemd); !strings.Contains(line, "STATUS=the settings were not taken at the last reload") {
		t.Errorf("%q", line)
	}
	conditions := i.daemon.Status().Conditions
	if len(conditions) == 0 || !strings.Contains(metric(), held) {
		t.Fatalf("%+v\n%s", conditions, metric())
	}
	c := conditions[len(conditions)-1]
	if c.Code != "settings_refused" || c.Severity != "error" || strings.Contains(c.Message, "\n") || !strings.Contains(c.Message, file) ||
		c.Hint != "agentkeys-daemon run --print-config --wallet "+online {
		t.Errorf("%+v", c)
	}
	if err := os.WriteFile(file, []byte("log_level = \"debug\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	i.reload()
	if i.health.Has(condition.SettingsRefused) || strings.Contains(metric(), held) {
		t.Error("it holds after a good reload")
	}
}

func TestSettingsThatCannotBeReadAreNoUsageError(t *testing.T) {
	t.Parallel()
	_, _, err := settings.Load(settings.Source{
		Dir: "/etc/agentkeys", Getenv: func(string) string { return "" },
		ReadFile: func(path string) ([]byte, error) {
			return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrPermission}
		},
	})
	if !errors.Is(err, settings.ErrSettings) {
		t.Fatal(err)
	}
	var out bytes.Buffer
	exit := cli.Reporter{Program: name, Err: &out}.Report(err, (&program{}).told)
	if exit != words.ExitFault || !strings.HasSuffix(out.String(), "hint: chmod 0644 /etc/agentkeys/daemon.toml\n") {
		t.Errorf("exit %d, %s", exit, out.String())
	}
}

// scraped is what address serves of the metrics; an error: nothing listens there.
func scraped(address string) (string, error) {
	resp, err := http.Get("http://" + address + "/metrics")
	if err != nil {
		return "", err
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	return string(text), err
}

func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("never: " + what)
		}
	}
}

func TestAReloadTakesUpAnotherAddressOfMetrics(t *testing.T) {
	i, dir, _ := reloadable(t)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- i.metricsTask().Run(ctx) }()
	defer func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	reload := func(text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, "daemon.toml"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		i.reload()
	}
	listen := func(address string) string { return fmt.Sprintf("metrics_listen = %q\n", address) }
	serves := func(address string) func() bool {
		return func() bool {
			text, err := scraped(address)
			return err == nil && strings.Contains(text, online)
		}
	}
	silent := func(address string) func() bool {
		return func() bool { _, err := scraped(address); return err != nil }
	}
	unavailable := func() bool { return i.health.Has(condition.MetricsUnavailable) }
	first, second, taken := brokertest.Reserved(t), brokertest.Reserved(t), brokertest.Reserved(t)
	other, err := net.Listen("tcp", taken)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Close() }()

	reload(listen(first))
	until(t, "the first address serves", serves(first))
	reload(listen(second))
	until(t, "the second address serves", serves(second))
	until(t, "the first address is closed", silent(first))
	reload(listen(taken))
	until(t, "the taken address is a condition", unavailable)
	until(t, "the second address is closed", silent(second))
	reload("")
	until(t, "the condition ends with the setting", func() bool { return !unavailable() })
	reload(listen(first))
	until(t, "the first address serves again", serves(first))
	reload("")
	until(t, "nothing listens without the setting", silent(first))
}
