package localapi_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/agentkeys/agentkeys/internal/access"
	"github.com/agentkeys/agentkeys/internal/agent/localapi"
	"github.com/agentkeys/agentkeys/internal/protocol"
)

func TestOneUserCannotTakeEveryConnection(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l, err := localapi.Listen(dir, "s.sock", 0o600)
	if err != nil {
		t.Fatal(err)
	}
	policy, _ := access.NewPolicy(true, ownRule(), nil, system{})
	srv := localapi.New(localapi.Config{
		Source: &source{}, Policy: func() access.Policy { return policy }, Metrics: http.NotFoundHandler(),
		Observe: func(string, string, time.Duration) {}, Logger: slog.New(slog.DiscardHandler),
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- srv.Serve(ctx, l, nil) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	var conns []net.Conn
	hold := func(n int) {
		for range n {
			c, err := net.Dial("unix", l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			conns = append(conns, c)
		}
	}
	hold(256)
	if res := asked(t, conns[255]); res.StatusCode != http.StatusOK {
		t.Fatalf("the 256th connection of one user: %d", res.StatusCode)
	}
	hold(1)
	told(t, "the 257th", asked(t, conns[256]))
	res, err := client(l.Addr().String()).Get("http://agent/v1/credentials")
	if err != nil {
		t.Fatal(err)
	}
	told(t, "a program that asks as always", res)
	hold(100) // more than wait for their request to be refused at one time
	told(t, "one that has not asked", answered(t, conns[len(conns)-1]))
	for _, c := range conns {
		_ = c.Close()
	}
	if status, _, _ := getUntilServed(t, client(l.Addr().String())); status != 200 {
		t.Fatalf("after closing: %d", status)
	}
}

// asked sends a request on a connection that stays open.
func asked(t *testing.T, c net.Conn) *http.Response {
	t.Helper()
	_, _ = io.WriteString(c, "GET /v1/credentials HTTP/1.1\r\nHost: agent\r\n\r\n") // who was refused already has the answer
	return answered(t, c)
}

func answered(t *testing.T, c net.Conn) *http.Response {
	t.Helper()
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// told fails where a refused caller does not learn when to come again, and why.
func told(t *testing.T, who string, res *http.Response) {
	t.Helper()
	var p protocol.Problem
	err := json.NewDecoder(res.Body).Decode(&p)
	_ = res.Body.Close()
	if err != nil || res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Retry-After") != "1" ||
		res.Header.Get("Content-Type") != protocol.ProblemType || p.Status != 503 || p.Code != protocol.CodeUnavailable {
		t.Errorf("%s: %d %v %+v, %v", who, res.StatusCode, res.Header, p, err)
	}
}
