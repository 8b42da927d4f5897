package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/agentkeys/agentkeys/internal/broker/brokertest"
	"github.com/agentkeys/agentkeys/internal/secret"
	"github.com/agentkeys/agentkeys/internal/words"
)

// running is a broker in this process, as its program runs it.
type running struct {
	url    string
	stop   context.CancelFunc
	code   chan int
	stderr *buffer
}

type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func start(t *testing.T, args ...string) *running {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	r := &running{stop: stop, code: make(chan int, 1), stderr: &buffer{}}
	out, in := io.Pipe()
	go func() {
		r.code <- run(ctx, append([]string{"agentkeys-broker", "serve"}, args...), nil, nil, in, r.stderr)
		_ = in.Close() // always nil
	}()
	line, err := bufio.NewReader(out).ReadString('\n')
	url, ok := strings.CutPrefix(strings.TrimSpace(line), "listening on ")
	if err != nil || !ok {
		t.Fatalf("%q %v: %s", line, err, r.stderr)
	}
	r.url = url
	return r
}

func (r *running) end(t *testing.T) {
	t.Helper()
	r.stop()
	select {
	case code := <-r.code:
		if code != 0 {
			t.Errorf("exit code %d: %s", code, r.stderr)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("it did not stop")
	}
}

func TestServe(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	r := start(t, "--listen", "127.0.0.1:0", "--data", data, "--log-format", "json", "--log-level", "debug", "--metrics-listen", "127.0.0.1:0")
	setup := filepath.Join(data, "setup-token")
	token, err := os.ReadFile(setup)
	if err != nil {
		t.Fatal(err)
	}
	owner := brokertest.NewOwner()
	if code := post(t, r.url, secret.New(strings.TrimSpace(string(token))), owner.Account(t)); code != http.StatusCreated {
		t.Fatalf("account: %d", code)
	}
	if _, err := os.Stat(setup); !os.IsNotExist(err) {
		t.Errorf("the used set-up token is there still: %v", err)
	}
	var second bytes.Buffer
	if code := run(t.Context(), []string{"agentkeys-broker", "serve", "--listen", "127.0.0.1:0", "--data", data}, nil, nil, io.Discard, &second); code != words.ExitFault {
		t.Errorf("a second broker: %d", code)
	}
	if !strings.Contains(second.String(), "another agentkeys-broker runs") {
		t.Error(second.String())
	}
	r.end(t)
	for _, s := range []string{strings.TrimSpace(string(token)), owner.Token.Reveal()} {
		if strings.Contains(r.stderr.String(), s) {
			t.Error("a token is in the log")
		}
	}

	again := start(t, "--listen", "127.0.0.1:0", "--data", data)
	if code := post(t, again.url, owner.Token, owner.Account(t)); code != http.StatusCreated {
		t.Errorf("the same account again: %d", code)
	}
	if _, err := os.Stat(setup); !os.IsNotExist(err) {
		t.Errorf("a new set-up token beside an account: %v", err)
	}
	again.end(t)
}

func post(t *testing.T, url string, token secret.String, body any) int {
	t.Helper()
	data := brokertest.Must(json.Marshal(body))(t)
	req := brokertest.Must(http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/v1/accounts", bytes.NewReader(data)))(t)
	req.Header.Set("Authorization", "Bearer "+token.Reveal())
	res := brokertest.Must(http.DefaultClient.Do(req))(t)
	if err := res.Body.Close(); err != nil {
		t.Fatal(err)
	}
	return res.StatusCode
}

// leaveSocket leaves the socket file that a killed broker leaves. It never listens: a program that
// another test starts at the same time would inherit the listener until its exec, so that a broker
// would seem to answer.
func leaveSocket(t *testing.T, path string) {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(syscall.Bind(fd, &syscall.SockaddrUnix{Name: path}), syscall.Close(fd)); err != nil {
		t.Fatal(err)
	}
}

func TestServeOnASocket(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "ak") // short: a socket's path has at most 104 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	path := filepath.Join(dir, "s")
	leaveSocket(t, path)
	r := start(t, "--listen", "unix://"+path, "--data", filepath.Join(dir, "data"))
	client := http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", path)
	}}}
	res, err := client.Get("http://broker/v1/info")
	if err != nil {
		t.Fatal(err)
	}
	if err := res.Body.Close(); err != nil || res.StatusCode != 200 {
		t.Error(res.StatusCode, err)
	}
	client.CloseIdleConnections()
	r.end(t)
}

func TestALongPollDoesNotDelayTheEnd(t *testing.T) {
	t.Parallel()
	r := start(t, "--listen", "127.0.0.1:0", "--data", filepath.Join(t.TempDir(), "data"))
	d := brokertest.NewDevice(t, "")
	data := brokertest.Must(json.Marshal(d.Opening()))(t)
	res := brokertest.Must(http.Post(r.url+"/v1/pairings", "application/json", bytes.NewReader(data)))(t)
	if err := res.Body.Close(); err != nil || res.StatusCode != 201 {
		t.Fatal(res.StatusCode, err)
	}
	answer, sent := make(chan int, 1), make(chan struct{})
	trace := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{WroteRequest: func(httptrace.WroteRequestInfo) { close(sent) }})
	go func() {
		req := brokertest.Must(http.NewRequestWithContext(trace, http.MethodGet, r.url+"/v1/pairings/self?wait=50", nil))(t)
		req.Header.Set("Authorization", "Bearer "+d.Token.Reveal())
		res, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
		if err != nil {
			answer <- 0
			return
		}
		_ = res.Body.Close() // only the status matters
		answer <- res.StatusCode
	}()
	<-sent
	time.Sleep(100 * time.Millisecond) // only makes it likelier that it waits already
	begin := time.Now()
	r.end(t)
	if took := time.Since(begin); took > 20*time.Second {
		t.Errorf("the end took %s", took)
	}
	if status := <-answer; status == 0 {
		t.Error("the poll got no answer")
	}
}
