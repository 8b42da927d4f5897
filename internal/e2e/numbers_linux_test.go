package e2e_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/agentkeys/agentkeys/internal/store/keychain/keyringtest"
)

// The numbers that README publishes, measured by make bench. Each benchmark fails
// above its limit.

// settle lets start-up, first sync and first report pass before an idle minute begins.
const settle = 15 * time.Second

func BenchmarkIdleMinute(b *testing.B) {
	b.Run("file", func(b *testing.B) { idleMinute(b, newMachine(b), 60) })
	b.Run("keychain", func(b *testing.B) {
		m, _ := desktop(b, keyringtest.Unlocked)
		idleMinute(b, m, 90)
	})
}

// idleMinute reports what an instance that is online and has nothing to do costs.
func idleMinute(b *testing.B, m *machine, maxWakeups float64) {
	broker := startBroker(b)
	o := newOwner(b, broker)
	d := m.daemon(o.adopt(m, "bot", "openrouter"))
	o.put("bot", "openrouter", keyOpenRouter)
	d.serves("openrouter", keyOpenRouter)
	time.Sleep(settle)
	pid := d.cmd.Process.Pid
	for b.Loop() {
		before := wakeups(b, pid)
		time.Sleep(time.Minute)
		limited(b, wakeups(b, pid)-before, "wakeups/min", maxWakeups)
	}
	limited(b, statusMB(b, pid, "VmRSS"), "resident-MB", 15)
	limited(b, statusMB(b, pid, "RssAnon"), "private-MB", 6)
}

// limited publishes a number and fails above its limit.
func limited(b *testing.B, value float64, unit string, limit float64) {
	b.Helper()
	b.ReportMetric(value, unit)
	if value > limit {
		b.Errorf("%.2f %s, at most %g", value, unit, limit)
	}
}

// wakeups sums the voluntary context switches of all threads.
func wakeups(b *testing.B, pid int) float64 {
	b.Helper()
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
	if err != nil || len(tasks) == 0 {
		b.Fatalf("no threads of %d: %v", pid, err)
	}
	sum := 0.0
	for _, task := range tasks {
		sum += statusField(b, task, "voluntary_ctxt_switches")
	}
	return sum
}

func statusMB(b *testing.B, pid int, field string) float64 {
	b.Helper()
	return statusField(b, fmt.Sprintf("/proc/%d/status", pid), field) * 1024 / 1e6
}

func statusField(b *testing.B, path, field string) float64 {
	b.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		b.Fatal(err)
	}
	found := regexp.MustCompile(`(?m)^` + field + `:\s+(\d+)`).FindSubmatch(text)
	if found == nil {
		b.Fatalf("no %s in %s", field, path)
	}
	n, err := strconv.ParseFloat(string(found[1]), 64)
	if err != nil {
		b.Fatal(err)
	}
	return n
}

// BenchmarkStartToReady measures from the start of the program to READY=1, with no
// broker to be reached.
func BenchmarkStartToReady(b *testing.B) {
	broker := startBroker(b)
	m := newMachine(b)
	wallet := newOwner(b, broker).adopt(m, "bot", "openrouter")
	m.daemon(wallet).stop()
	broker.stop()
	path := filepath.Join(m.dir, "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	m = m.with("NOTIFY_SOCKET", path)
	var took []time.Duration
	for b.Loop() {
		began := time.Now()
		d := m.launch(wallet)
		awaitReady(b, conn)
		took = append(took, time.Since(began))
		d.stop()
		drain(b, conn)
	}
	slices.Sort(took)
	limited(b, float64(took[len(took)/2].Microseconds())/1000, "ready-ms", 100)
}

func awaitReady(b *testing.B, conn *net.UnixConn) {
	b.Helper()
	buf := make([]byte, 4096)
	for {
		if err := conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
			b.Fatal(err)
		}
		n, err := conn.Read(buf)
		if err != nil {
			b.Fatalf("no READY=1: %v", err)
		}
		if slices.Contains(strings.Split(string(buf[:n]), "\n"), "READY=1") {
			return
		}
	}
}

// drain takes what the last instance said before it ended.
func drain(b *testing.B, conn *net.UnixConn) {
	b.Helper()
	buf := make([]byte, 4096)
	for {
		if err := conn.SetReadDeadline(time.Now().Add(time.Millisecond)); err != nil {
			b.Fatal(err)
		}
		if _, err := conn.Read(buf); err != nil {
			return
		}
	}
}

// BenchmarkReadCredential measures reads over agent.sock, and the same client against
// a handler that does nothing but answer, in this process.
func BenchmarkReadCredential(b *testing.B) {
	broker := startBroker(b)
	m := newMachine(b)
	o := newOwner(b, broker)
	d := m.daemon(o.adopt(m, "bot", "openrouter"))
	o.put("bot", "openrouter", keyOpenRouter)
	d.serves("openrouter", keyOpenRouter)
	bare := bareClient(b, m)
	const url = "http://agent/v1/credentials/openrouter"
	for b.Loop() {
		limited(b, median(b, d.client, url), "p50-ms", 0.15)
		ours, theirs := throughput(b, d.client, url), throughput(b, bare, url)
		b.ReportMetric(ours, "reads/s")
		b.ReportMetric(theirs, "bare/s")
		if ours < theirs/2 {
			b.Errorf("%.0f reads a second, at least half of the bare handler's %.0f", ours, theirs)
		}
	}
}

func bareClient(b *testing.B, m *machine) *http.Client {
	b.Helper()
	path := filepath.Join(m.dir, "bare.sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		b.Fatal(err)
	}
	answer := []byte(`{"service":"openrouter","revision":1,"credential":"` + keyOpenRouter + `","age_seconds":1}`)
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(answer) // the client notices
	})}
	go func() { _ = s.Serve(l) }() // ends with Close
	b.Cleanup(func() { _ = s.Close() })
	return &http.Client{Timeout: patience, Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", path)
		},
	}}
}

// median is the time of one read among many, one after the other, in milliseconds.
func median(b *testing.B, c *http.Client, url string) float64 {
	b.Helper()
	took := make([]time.Duration, 5000)
	for i := range took {
		began := time.Now()
		ask(b, c, url)
		took[i] = time.Since(began)
	}
	slices.Sort(took)
	return float64(took[len(took)/2].Nanoseconds()) / 1e6
}

// throughput is how many reads two callers get in a second; each keeps its connection.
func throughput(b *testing.B, c *http.Client, url string) float64 {
	b.Helper()
	const span = 2 * time.Second
	var count atomic.Int64
	var callers sync.WaitGroup
	end := time.Now().Add(span)
	for range 2 {
		callers.Go(func() {
			for time.Now().Before(end) {
				ask(b, c, url)
				count.Add(1)
			}
		})
	}
	callers.Wait()
	return float64(count.Load()) / span.Seconds()
}

func ask(b *testing.B, c *http.Client, url string) {
	b.Helper()
	if code, text, err := read(c.Get(url)); err != nil || code != http.StatusOK {
		b.Errorf("read: %d %v %s", code, err, text)
	}
}

// BenchmarkDaemonSize builds the stripped daemon for ARMv7 as make cross does.
func BenchmarkDaemonSize(b *testing.B) {
	path := filepath.Join(b.TempDir(), "daemon")
	for b.Loop() {
		build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", path,
			"github.com/agentkeys/agentkeys/cmd/agentkeys-daemon")
		build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=arm", "GOARM=7")
		if out, err := build.CombinedOutput(); err != nil {
			b.Fatalf("%v\n%s", err, out)
		}
	}
	info, err := os.Stat(path)
	if err != nil {
		b.Fatal(err)
	}
	limited(b, float64(info.Size())/1e6, "armv7-MB", 12)
}
