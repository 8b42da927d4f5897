package main

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/agentkeys/agentkeys/internal/broker/brokertest"
	"github.com/agentkeys/agentkeys/internal/words"
)

// patience tells what comes from what never does.
const patience = 30 * time.Second

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !is(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}

// child is the program in a process of its own.
type child struct {
	t      *testing.T
	cmd    *exec.Cmd
	out    *buffer
	ended  chan struct{}
	exited error
}

func command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	path := filepath.Join(t.TempDir(), "agentkeys-broker") // TestMain goes by the name
	if err := os.Symlink(brokertest.Must(os.Executable())(t), path); err != nil {
		t.Fatal(err)
	}
	return exec.CommandContext(t.Context(), path, args...)
}

func startChild(t *testing.T, args ...string) *child {
	t.Helper()
	return startCommand(t, command(t, append([]string{"serve"}, args...)...))
}

func startCommand(t *testing.T, cmd *exec.Cmd) *child {
	t.Helper()
	c := &child{t: t, cmd: cmd, out: &buffer{}, ended: make(chan struct{})}
	c.cmd.Stdout, c.cmd.Stderr = c.out, c.out
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { defer close(c.ended); c.exited = c.cmd.Wait() }()
	t.Cleanup(func() { _ = c.cmd.Process.Kill(); <-c.ended })
	return c
}

func (c *child) says(text string) {
	c.t.Helper()
	eventually(c.t, text, func() bool { return strings.Contains(c.out.String(), text) })
}

func (c *child) signal(s syscall.Signal) { _ = c.cmd.Process.Signal(s) } // that it ended shows at the end

// A SIGHUP at any moment from the first write to the last one ends no broker.
func TestSIGHUPEndsNoBroker(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	c := startChild(t, "--data", data, "--listen", "127.0.0.1:0")
	eventually(t, "the lock of a broker that starts", func() bool {
		_, err := os.Stat(filepath.Join(data, ".lock"))
		return err == nil
	})
	storm := make(chan struct{})
	go func() {
		defer close(storm)
		for {
			select {
			case <-c.ended:
				return
			default:
				c.signal(syscall.SIGHUP)
				time.Sleep(time.Millisecond)
			}
		}
	}()
	c.says("listening on")
	c.says("reloaded")
	c.signal(syscall.SIGTERM)
	<-c.ended
	<-storm
	if c.exited != nil {
		t.Errorf("%v: %s", c.exited, c.out)
	}
}

func exitOf(err error) int {
	var failed *exec.ExitError
	if errors.As(err, &failed) {
		return failed.ExitCode()
	}
	return 0
}

func TestReload(t *testing.T) {
	t.Parallel()
	cert, key, _ := newPair(t)
	data := filepath.Join(t.TempDir(), "data")
	address := brokertest.Reserved(t)
	base := []string{"--data", data, "--listen", address, "--tls-cert", cert, "--tls-key", key}
	reload := func(args ...string) (int, string) {
		out, err := command(t, append([]string{"reload"}, args...)...).CombinedOutput()
		return exitOf(err), string(out)
	}
	if code, out := reload(base...); code != words.ExitFault {
		t.Errorf("no directory: %d %s", code, out)
	}
	c := startChild(t, base...)
	c.says("listening on")
	before := leafOf(t, "https://"+address)
	next, nextKey, _ := newPair(t)
	p := pairFiles{t, cert, key}
	p.copy(next, cert)
	p.copy(nextKey, key)
	if code, out := reload(append(base, "--log-level", "debug", "--metrics-listen", "127.0.0.1:1")...); code != 0 {
		t.Fatalf("%d %s", code, out)
	}
	c.says("log_level=DEBUG")
	c.says("options=[--metrics-listen]")
	if leafOf(t, "https://"+address) == before {
		t.Errorf("the old certificate: %s", c.out)
	}
	if code, out := reload(append(base, "--log-level", "loud")...); code != words.ExitUsage {
		t.Errorf("a wrong option: %d %s", code, out)
	}
	c.signal(syscall.SIGHUP) // those of before are still the last good ones
	eventually(t, "a second reload", func() bool { return strings.Count(c.out.String(), "log_level=DEBUG") == 2 })
	c.signal(syscall.SIGTERM)
	<-c.ended
	if code, out := reload(base...); code != words.ExitUnreachable || !strings.Contains(out, "hint: agentkeys-broker serve --data "+data+"\n") {
		t.Errorf("no broker: %d %s", code, out)
	}
	again := startChild(t, base...)
	again.says("listening on")
	again.signal(syscall.SIGHUP)
	again.says("log_level=INFO") // a start goes by its own options
}

// What reload leaves out stays as it is, and a certificate that the broker would refuse
// fails the reload.
func TestReloadByHand(t *testing.T) {
	t.Parallel()
	cert, key, _ := newPair(t)
	data := filepath.Join(t.TempDir(), "data")
	address := brokertest.Reserved(t)
	serve := command(t, "serve", "--data", data, "--listen", address, "--tls-cert", filepath.Base(cert), "--tls-key", filepath.Base(key), "--log-level", "debug")
	serve.Dir = filepath.Dir(cert)
	c := startCommand(t, serve)
	c.says("listening on")
	reload := func(args ...string) (int, string) {
		out, err := command(t, append([]string{"reload", "--data", data}, args...)...).CombinedOutput()
		return exitOf(err), string(out)
	}
	reloads := func() int { return strings.Count(c.out.String(), "msg=reloaded") }
	if code, out := reload(); code != 0 {
		t.Fatalf("%d %s", code, out)
	}
	eventually(t, "a reload", func() bool { return reloads() == 1 })
	if log := c.out.String(); !strings.Contains(log, "log_level=DEBUG") || strings.Contains(log, "other ones now") {
		t.Error(log)
	}
	before := leafOf(t, "https://"+address)
	good := brokertest.Must(os.ReadFile(key))(t)
	if err := os.WriteFile(key, []byte("garbage"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, args := range map[string][]string{
		"its own pair, as it serves": nil,
		"its own pair, named":        {"--tls-cert", cert, "--tls-key", key},
		"another pair":               {"--tls-cert", "/nope", "--tls-key", "/nope2"},
	} {
		if code, out := reload(args...); code != words.ExitFault || !strings.Contains(out, "error: load certificate, the one before goes on: ") {
			t.Errorf("%s: %d %s", name, code, out)
		}
	}
	if leafOf(t, "https://"+address) != before || reloads() != 1 {
		t.Errorf("a refused reload: %s", c.out)
	}
	if err := os.WriteFile(key, good, 0o600); err != nil {
		t.Fatal(err)
	}
	if code, out := reload("--tls-cert", "/nope", "--tls-key", "/nope2"); code != words.ExitFault || !strings.Contains(out, "/nope: no such file") {
		t.Errorf("another pair alone: %d %s", code, out)
	}
	for args, want := range map[string]string{"--tls-cert": "go together", "--trusted-proxy": "is no range of addresses"} {
		if code, out := reload(args, "/nope"); code != words.ExitUsage || !strings.Contains(out, want) {
			t.Errorf("%s: %d %s", args, code, out)
		}
	}
	if code, out := reload("--url-host", "mini.local"); code != 0 { // it speaks TLS
		t.Errorf("%d %s", code, out)
	}
	c.says("options=[--url-host]")
	c.says("stop it, then: agentkeys-broker serve --data " + data)
}

func TestReloadOfASelfSignedBroker(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	c := startChild(t, "--data", data, "--listen", "127.0.0.1:0", "--tls", "self-signed")
	c.says("listening on")
	if err := os.Remove(filepath.Join(data, "tls-key.pem")); err != nil {
		t.Fatal(err)
	}
	out, err := command(t, "reload", "--data", data).CombinedOutput()
	if exitOf(err) != words.ExitFault || !strings.Contains(string(out), "tls-key.pem: the file is gone") {
		t.Errorf("%v %s", err, out)
	}
}

func TestHintsNameTheUnitOfThePackageAlone(t *testing.T) {
	t.Parallel()
	for data, want := range map[string]string{
		"/var/lib/agentkeys-broker": "sudo systemctl start agentkeys-broker", "/var/lib/agentkeys-broker/": "sudo systemctl start agentkeys-broker",
		"/home/mia/bd": "agentkeys-broker serve --data /home/mia/bd",
	} {
		if got := failureOf(&notServing{data}, nil).Hint; got != want {
			t.Errorf("%s: %q, want %q", data, got, want)
		}
	}
}

func TestMetricsAreOptional(t *testing.T) {
	t.Parallel()
	address := brokertest.Reserved(t)
	taken := brokertest.Must(listen(t.Context(), address))(t)
	r := start(t, "--listen", "127.0.0.1:0", "--data", filepath.Join(t.TempDir(), "data"), "--metrics-listen", address)
	eventually(t, "word of it", func() bool { return strings.Contains(r.stderr.String(), "the metrics are not served") })
	if res, err := http.Get(r.url + "/v1/info"); err != nil || res.StatusCode != 200 {
		t.Error(res, err)
	}
	if err := taken.Close(); err != nil {
		t.Fatal(err)
	}
	var body []byte
	eventually(t, "the metrics", func() bool {
		res, err := http.Get("http://" + address + "/readyz")
		if err != nil {
			return false
		}
		body, _ = io.ReadAll(res.Body)
		return res.Body.Close() == nil && bytes.Equal(body, []byte("ok\n"))
	})
	http.DefaultClient.CloseIdleConnections()
	r.end(t)
	if n := strings.Count(r.stderr.String(), "not served"); n != 1 {
		t.Errorf("told %d times: %s", n, r.stderr)
	}
}
