package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/agentkeys/agentkeys/internal/condition"
	"github.com/agentkeys/agentkeys/internal/settings"
	"github.com/agentkeys/agentkeys/internal/stdio"
	"github.com/agentkeys/agentkeys/internal/wallet"
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
	exit := (&program{stderr: &out}).report(err)
	if exit != exitFault || !strings.HasSuffix(out.String(), "hint: chmod 0644 /etc/agentkeys/daemon.toml\n") {
		t.Errorf("exit %d, %s", exit, out.String())
	}
}
