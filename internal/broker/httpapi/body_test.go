package httpapi_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/agentkeys/agentkeys/internal/broker/brokertest"
	"github.com/agentkeys/agentkeys/internal/broker/httpapi"
	"github.com/agentkeys/agentkeys/internal/scope"
	"github.com/agentkeys/agentkeys/internal/secret"
)

// untouched is a body that fails the test when it is read.
type untouched struct{ t *testing.T }

func (u untouched) Read([]byte) (int, error) {
	u.t.Error("the body was read")
	return 0, io.EOF
}

func posted(method, path string, token secret.String, body io.Reader, length int64) *http.Request {
	r := httptest.NewRequest(method, path, body)
	r.ContentLength = length
	r.Header.Set("Authorization", "Bearer "+token.Reveal())
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("If-Match", `"1"`)
	return r
}

func TestTheRoleIsDecidedBeforeTheBody(t *testing.T) {
	t.Parallel()
	s := brokertest.Start(t)
	owner := s.Owner()
	agent := s.Agent(owner, scope.All(), "openrouter")
	api := httpapi.New(httpapi.Config{Broker: s.Broker})
	const large = 8 << 20
	of := "/v1/agents/" + agent.Wallet.String()
	for name, r := range map[string]*http.Request{
		"approve":                      posted("POST", "/v1/pairings/approve", agent.Token, untouched{t}, large),
		"find":                         posted("POST", "/v1/pairings/find", agent.Token, untouched{t}, 100),
		"deny":                         posted("POST", "/v1/pairings/deny", agent.Token, untouched{t}, 100),
		"put manifest":                 posted("PUT", of+"/manifest", agent.Token, untouched{t}, large),
		"reopen":                       posted("POST", of+"/reopen", agent.Token, untouched{t}, 100),
		"open":                         posted("POST", "/v1/accounts/open", agent.Token, untouched{t}, 100),
		"an owner's report of 256 KiB": posted("POST", "/v1/agent/report", owner.Token, untouched{t}, 256<<10),
	} {
		w := httptest.NewRecorder()
		api.ServeHTTP(w, r)
		if w.Code != http.StatusForbidden {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
}

func TestTheRateIsDecidedBeforeTheBody(t *testing.T) {
	t.Parallel()
	s := brokertest.Start(t)
	agent := s.Agent(s.Owner(), scope.All(), "openrouter")
	api := httpapi.New(httpapi.Config{Broker: s.Broker})
	const report = `{"version":"1","host":"pi","storage_backend":"file","keychain_state":"","state":"online","events":[]}`
	for n := 1; ; n++ {
		w := httptest.NewRecorder()
		api.ServeHTTP(w, posted("POST", "/v1/agent/report", agent.Token, strings.NewReader(report), int64(len(report))))
		if w.Code == http.StatusTooManyRequests {
			if n != 601 {
				t.Errorf("request %d is one too many, want 601", n) // each counts once
			}
			break
		}
		if w.Code != http.StatusNoContent || n > 1000 {
			t.Fatalf("request %d: %d %s", n, w.Code, w.Body)
		}
	}
	w := httptest.NewRecorder()
	api.ServeHTTP(w, posted("POST", "/v1/agent/report", agent.Token, untouched{t}, 256<<10))
	if w.Code != http.StatusTooManyRequests {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestEachOperationTakesNoMoreThanItNeeds(t *testing.T) {
	t.Parallel()
	s := brokertest.Start(t)
	owner := s.Owner()
	agent := s.Agent(owner, scope.All(), "openrouter")
	api := httpapi.New(httpapi.Config{Broker: s.Broker})
	of := "/v1/agents/" + agent.Wallet.String()
	for _, c := range []struct {
		method, path string
		token        secret.String
		limit        int64
	}{
		{"POST", "/v1/accounts", owner.Token, 8 << 10},
		{"POST", "/v1/accounts/open", owner.Token, 4 << 10},
		{"POST", "/v1/pairings", owner.Token, 32 << 10},
		{"POST", "/v1/pairings/find", owner.Token, 4 << 10},
		{"POST", "/v1/pairings/deny", owner.Token, 4 << 10},
		{"POST", "/v1/session/renew", owner.Token, 4 << 10},
		{"POST", "/v1/session/resume", owner.Token, 4 << 10},
		{"POST", of + "/reopen", owner.Token, 4 << 10},
		{"POST", "/v1/agent/report", agent.Token, 256 << 10},
		{"POST", "/v1/pairings/approve", owner.Token, 8 << 20},
		{"PUT", of + "/manifest", owner.Token, 8 << 20},
	} {
		for name, declared := range map[string]bool{"with its length": true, "in chunks": false} {
			for more, want := range map[int64]int{-1: http.StatusBadRequest, 0: http.StatusBadRequest, 1: http.StatusRequestEntityTooLarge} {
				length := int64(-1)
				if declared {
					length = c.limit + more
				}
				w := httptest.NewRecorder()
				api.ServeHTTP(w, posted(c.method, c.path, c.token, strings.NewReader(strings.Repeat(" ", int(c.limit+more))), length))
				if w.Code != want {
					t.Errorf("%s of %d%+d bytes %s: %d, want %d", c.path, c.limit, more, name, w.Code, want)
				}
			}
		}
	}
}

// slow is a body of 8 MiB whose first byte comes when released.
type slow struct {
	reading *atomic.Int32
	release chan struct{}
	begun   bool
}

func (s *slow) Read([]byte) (int, error) {
	if !s.begun {
		s.begun = true
		s.reading.Add(1)
		<-s.release
	}
	return 0, io.EOF
}

func TestFewLargeBodiesAreReadAtOnce(t *testing.T) {
	t.Parallel()
	s := brokertest.Start(t)
	owner := s.Owner()
	agent := s.Agent(owner, scope.All(), "openrouter")
	path := "/v1/agents/" + agent.Wallet.String() + "/manifest"
	synctest.Test(t, func(t *testing.T) {
		api := httpapi.New(httpapi.Config{Broker: s.Broker})
		var reading atomic.Int32
		release, codes := make(chan struct{}), make(chan int, 10)
		for range 10 {
			go func() {
				w := httptest.NewRecorder()
				api.ServeHTTP(w, posted("PUT", path, owner.Token, &slow{reading: &reading, release: release}, 8<<20))
				codes <- w.Code
			}()
		}
		for range 8 { // the clock of the bubble advances when all goroutines wait
			if got := <-codes; got != http.StatusServiceUnavailable {
				t.Errorf("a large request in the way of others: %d", got)
			}
		}
		if n := reading.Load(); n != 2 {
			t.Errorf("%d large bodies at once, want 2", n)
		}
		w := httptest.NewRecorder()
		api.ServeHTTP(w, posted("PUT", path, owner.Token, strings.NewReader("{}"), 2))
		if w.Code != http.StatusBadRequest {
			t.Errorf("a small one beside them: %d", w.Code)
		}
		close(release)
		for range 2 {
			<-codes
		}
	})
}

// A network that used up its share of pairings does not get it again for bodies that never end.
func TestOpeningsAreCountedBeforeTheirBodies(t *testing.T) {
	t.Parallel()
	s := brokertest.Start(t)
	synctest.Test(t, func(t *testing.T) {
		api := httpapi.New(httpapi.Config{Broker: s.Broker})
		var reading atomic.Int32
		release, codes := make(chan struct{}), make(chan int, 50)
		for range 50 {
			go func() {
				w := httptest.NewRecorder()
				api.ServeHTTP(w, posted("POST", "/v1/pairings", secret.String{}, &slow{reading: &reading, release: release}, 8<<10))
				codes <- w.Code
			}()
		}
		for range 40 {
			if got := <-codes; got != http.StatusTooManyRequests {
				t.Errorf("one more than the share: %d", got)
			}
		}
		if n := reading.Load(); n != 10 {
			t.Errorf("%d bodies are read, want 10", n)
		}
		close(release)
		for range 10 {
			<-codes
		}
	})
}
