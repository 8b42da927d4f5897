package notify_test

import (
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/agentkeys/agentkeys/internal/systemd/notify"
)

func env(m map[string]string) func(string) string { return func(k string) string { return m[k] } }

func TestEveryMessageReachesSystemd(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	t.Setenv("NOTIFY_SOCKET", path)
	n := notify.New(env(map[string]string{"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "60000000"}), 7)
	n.Ready()
	n.Status("serving 2\ncredentials")
	n.Ping()
	n.Reloading(3 * time.Second)
	n.Stopping()
	for _, want := range []string{"READY=1", "STATUS=serving 2 credentials", "WATCHDOG=1", "RELOADING=1\nMONOTONIC_USEC=3000000", "STOPPING=1"} {
		buf := make([]byte, 512)
		if err := conn.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
			t.Fatal(err)
		}
		size, err := conn.Read(buf)
		if err != nil || strings.TrimSpace(string(buf[:size])) != want {
			t.Fatalf("got %q, %v, want %q", buf[:size], err, want)
		}
	}
	if n.WatchdogInterval() != 30*time.Second || notify.Monotonic() <= 0 {
		t.Fatal(n.WatchdogInterval())
	}
}

func TestWatchdogInterval(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		usec, pid string
		want      time.Duration
	}{
		"none": {"", "", 0}, "ours": {"2000000", "7", time.Second}, "another process": {"2000000", "8", 0},
		"garbage": {"x", "", 0}, "negative": {"-1", "", 0}, "above 32 bits": {"7200000000", "", time.Hour},
		"absurd": {"9223372036854775807", "", 0},
	} {
		n := notify.New(env(map[string]string{"NOTIFY_SOCKET": "/x", "WATCHDOG_USEC": c.usec, "WATCHDOG_PID": c.pid}), 7)
		if n.WatchdogInterval() != c.want {
			t.Errorf("%s: %v", name, n.WatchdogInterval())
		}
	}
}

func TestWithoutSystemdNothingHappens(t *testing.T) {
	t.Parallel()
	n := notify.New(env(nil), 1)
	n.Ready()
	n.Status("x")
	n.Stopping()
	if n.WatchdogInterval() != 0 {
		t.Fatal("a watchdog without systemd")
	}
}
