package localapi_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/agentkeys/agentkeys/internal/access"
	"github.com/agentkeys/agentkeys/internal/agent"
	"github.com/agentkeys/agentkeys/internal/agent/localapi"
	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/scope"
	"github.com/agentkeys/agentkeys/internal/secret"
	"github.com/agentkeys/agentkeys/internal/wallet"
	"github.com/agentkeys/agentkeys/internal/words"
)

// source serves two credentials; openrouter only is in scope.
type source struct {
	mu       sync.Mutex
	accesses []agent.Access
	blocked  bool
}

var errBlocked = &protocol.Problem{Status: 503, Code: protocol.CodeUnavailable, Detail: "slot is insecure"}

func (s *source) Credentials() ([]protocol.CredentialInfo, error) {
	if s.blocked {
		return nil, errBlocked
	}
	return []protocol.CredentialInfo{{Service: "binary", Revision: 2}, {Service: "openrouter", Revision: 1, AgeSeconds: 3}}, nil
}

func (s *source) Credential(service string) (agent.Credential, error) {
	if s.blocked {
		return agent.Credential{}, errBlocked
	}
	switch service {
	case "openrouter":
		return agent.Credential{CredentialInfo: protocol.CredentialInfo{Service: service, Revision: 1, AgeSeconds: 3}, Value: secret.New("sk-or-1")}, nil
	case "binary":
		return agent.Credential{CredentialInfo: protocol.CredentialInfo{Service: service, Revision: 2}, Value: secret.New("\xff\x00")}, nil
	case "missing":
		return agent.Credential{}, &protocol.Problem{Status: 404, Code: protocol.CodeNotFound, Detail: "no such credential"}
	}
	return agent.Credential{}, &protocol.Problem{Status: 403, Code: protocol.CodeDenied, Detail: protocol.DetailScope}
}

func (s *source) Session() (protocol.LocalSession, error) {
	if s.blocked {
		return protocol.LocalSession{}, errBlocked
	}
	return protocol.LocalSession{Wallet: wallet.New(), Scope: scope.None(), StorageBackend: "file"}, nil
}

func (s *source) Status() protocol.Status {
	return protocol.Status{Wallet: wallet.New(), State: "online", Storage: protocol.StatusStorage{Backend: "file", KeychainState: "disabled"}, Conditions: []protocol.StatusCondition{}}
}

func (s *source) Ready() (ok bool, reasons []string) { return !s.blocked, []string{"slot is insecure"} }

func (s *source) Accessed(a agent.Access) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.accesses = append(s.accesses, a)
}

func (s *source) seen() []agent.Access {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]agent.Access{}, s.accesses...)
}

type system struct{}

func (system) UserID(string) (uint32, bool)  { return uint32(os.Getuid()), true }
func (system) GroupID(string) (uint32, bool) { return uint32(os.Getgid()), true }

// start serves src under the rules and gives a client of each socket.
func start(t *testing.T, src *source, allowRoot bool, base []access.Rule, services map[string][]access.Rule) (agent, metrics *http.Client) {
	t.Helper()
	dir := t.TempDir()
	policy, _ := access.NewPolicy(allowRoot, base, services, system{})
	srv := localapi.New(localapi.Config{
		Source: src, Policy: func() access.Policy { return policy },
		Metrics: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "agentkeys_up 1\n") }),
		Observe: func(string, string, time.Duration) {}, Logger: slog.New(slog.DiscardHandler),
	})
	listen := func(name string) net.Listener {
		l, err := localapi.Listen(dir, name, 0o666)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	a, m := listen(words.AgentSocket), listen(words.MetricsSocket)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- srv.Serve(ctx, a, m) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return client(filepath.Join(dir, words.AgentSocket)), client(filepath.Join(dir, words.MetricsSocket))
}

func client(path string) *http.Client {
	return &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", path)
		},
		DisableKeepAlives: true,
	}}
}

func get(t *testing.T, c *http.Client, path, accept string) (int, string, http.Header) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://agent"+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", accept)
	res, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(body), res.Header
}

func ownRule() []access.Rule { return []access.Rule{{Kind: access.User, Name: "me"}} }

func TestAnAllowedCallerReadsItsCredentials(t *testing.T) {
	t.Parallel()
	src := &source{}
	daemon, _ := start(t, src, false, ownRule(), nil)
	status, body, head := get(t, daemon, "/v1/credentials/openrouter", "text/plain")
	if status != 200 || body != "sk-or-1" || head.Get("Cache-Control") != "no-store" {
		t.Fatalf("%d %q %v", status, body, head)
	}
	_, body, _ = get(t, daemon, "/v1/credentials/openrouter", "")
	var v protocol.LocalValue
	if err := json.Unmarshal([]byte(body), &v); err != nil || *v.Credential != "sk-or-1" || v.AgeSeconds != 3 {
		t.Fatalf("%s %v", body, err)
	}
	_, body, _ = get(t, daemon, "/v1/credentials/binary", "")
	v = protocol.LocalValue{}
	if err := json.Unmarshal([]byte(body), &v); err != nil || v.Credential != nil || string(v.CredentialBase64) != "\xff\x00" {
		t.Fatalf("%s %v", body, err)
	}
	want := agent.Access{Service: "openrouter", Interface: "agent.sock", Caller: fmt.Sprintf("uid=%d", os.Getuid()), Result: "ok"}
	got := src.seen()[0]
	got.Unit = ""
	if got != want {
		t.Fatalf("audit: %+v", got)
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		rules    []access.Rule
		services map[string][]access.Rule
		path     string
		status   int
		code     string
	}{
		"no rule, read":            {nil, nil, "/v1/credentials/openrouter", 403, "denied"},
		"no rule, list":            {nil, nil, "/v1/credentials", 403, "denied"},
		"no rule, session":         {nil, nil, "/v1/session", 403, "denied"},
		"no rule, status":          {nil, nil, "/v1/status", 403, "denied"},
		"service closed":           {ownRule(), map[string][]access.Rule{"openrouter": {}}, "/v1/credentials/openrouter", 403, "denied"},
		"out of scope":             {ownRule(), nil, "/v1/credentials/brave-search", 403, "denied"},
		"in scope, not stored":     {ownRule(), nil, "/v1/credentials/missing", 404, "not_found"},
		"malformed service":        {ownRule(), nil, "/v1/credentials/A%2Fb", 400, "bad_request"},
		"path outside":             {ownRule(), nil, "/v1/token", 404, "not_found"},
		"metrics carry no session": {ownRule(), nil, "/v1/session/token", 404, "not_found"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			src := &source{}
			daemon, _ := start(t, src, false, c.rules, c.services)
			status, body, head := get(t, daemon, c.path, "")
			var p protocol.Problem
			if err := json.Unmarshal([]byte(body), &p); err != nil {
				t.Fatalf("%s: %v", body, err)
			}
			if status != c.status || p.Code != c.code || head.Get("Content-Type") != protocol.ProblemType {
				t.Fatalf("%d %s %s", status, body, head.Get("Content-Type"))
			}
			if !strings.Contains(c.path, "/v1/credentials") || status != 403 {
				return
			}
			seen := src.seen()
			if stranger := c.rules == nil; len(seen) != 1 || seen[0].Result != "denied" || seen[0].Stranger != stranger {
				t.Fatalf("audit: %+v", seen)
			}
			want := protocol.ReasonRules
			if name == "out of scope" {
				want = protocol.ReasonScope
			}
			if seen[0].Reason != want {
				t.Fatalf("reason: %+v", seen)
			}
		})
	}
}

func TestListShowsOnlyWhatTheCallerMayRead(t *testing.T) {
	t.Parallel()
	daemon, _ := start(t, &source{}, false, nil, map[string][]access.Rule{"openrouter": ownRule()})
	_, body, _ := get(t, daemon, "/v1/credentials", "")
	var list protocol.LocalCredentials
	if err := json.Unmarshal([]byte(body), &list); err != nil || len(list.Credentials) != 1 || list.Credentials[0].Service != "openrouter" {
		t.Fatalf("%s %v", body, err)
	}
}

func TestMetricsSocketSaysOnlyHowTheDaemonIs(t *testing.T) {
	t.Parallel()
	_, metrics := start(t, &source{blocked: true}, true, ownRule(), nil)
	for path, want := range map[string]int{
		"/metrics": 200, "/livez": 200, "/readyz": 503, "/readyz?verbose": 503,
		"/v1/credentials": 404, "/v1/credentials/openrouter": 404, "/v1/session": 404, "/v1/status": 404,
	} {
		if status, body, _ := get(t, metrics, path, ""); status != want {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
}

// getUntilServed asks until the server noticed that the others hung up.
func getUntilServed(t *testing.T, c *http.Client) (int, string, http.Header) {
	t.Helper()
	for {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://agent/livez", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		if res, err := c.Do(req); err == nil {
			_ = res.Body.Close()
			return res.StatusCode, "", nil
		} else if t.Context().Err() != nil {
			t.Fatal(err)
		}
	}
}
