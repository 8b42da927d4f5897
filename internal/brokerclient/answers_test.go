package brokerclient_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/agentkeys/agentkeys/internal/brokerclient"
	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/secret"
	"github.com/agentkeys/agentkeys/internal/session"
)

const sessionJSON = `{"wallet":"0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed","role":"agent","created_at":1,"expires_at":2,"time":3,"new_field":{}}`

// reply answers every request alike.
func reply(status int, kind, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		if kind != "" {
			w.Header().Set("Content-Type", kind)
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func serve(t *testing.T, h http.Handler) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

func client(t *testing.T, c brokerclient.Config) *brokerclient.Client {
	t.Helper()
	out, err := brokerclient.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(out.Close)
	return out
}

func TestOnlyABrokersAnswerIsOne(t *testing.T) {
	t.Parallel()
	problem := protocol.ProblemType
	tests := map[string]struct {
		handler http.HandlerFunc
		code    string // of the problem; empty: unreachable; "ok": a reply
	}{
		"a reply":                        {reply(200, "application/json", sessionJSON), "ok"},
		"a reply with a charset":         {reply(200, "application/json; charset=utf-8", sessionJSON), "ok"},
		"a portal's page":                {reply(200, "text/html", "<html>please log in</html>"), ""},
		"JSON of somebody else":          {reply(200, "application/json", `{"hello":"world"}`), ""},
		"half of a reply":                {reply(200, "application/json", sessionJSON[:40]), ""},
		"two replies":                    {reply(200, "application/json", sessionJSON+sessionJSON), ""},
		"a repeated key":                 {reply(200, "application/json", strings.Replace(sessionJSON, `"time"`, `"role":"owner","time"`, 1)), ""},
		"nothing where a reply belongs":  {reply(204, "", ""), ""},
		"accepted, which means nothing":  {reply(202, "application/json", sessionJSON), ""},
		"not modified, unasked":          {reply(304, "", ""), ""},
		"500 of a proxy":                 {reply(502, "text/html", "<h1>Bad Gateway</h1>"), ""},
		"500 without a body":             {reply(500, "", ""), ""},
		"401 of a proxy":                 {reply(401, "text/html", "<h1>Sign in</h1>"), ""},
		"401 with JSON of another kind":  {reply(401, "application/json", `{"status":401,"code":"session_revoked"}`), ""},
		"403 without our code":           {reply(403, problem, `{"status":403,"title":"Forbidden"}`), ""},
		"403 with an empty code":         {reply(403, problem, `{"status":403,"code":""}`), ""},
		"a code of another form":         {reply(403, problem, `{"status":403,"code":"Session Revoked"}`), ""},
		"a problem that is no JSON":      {reply(401, problem, `session_revoked`), ""},
		"a problem with status 200":      {reply(200, problem, `{"status":401,"code":"session_revoked"}`), ""},
		"our 401":                        {reply(401, problem, `{"status":401,"code":"session_revoked"}`), "session_revoked"},
		"our 503":                        {reply(503, problem+"; charset=utf-8", `{"status":503,"code":"restored","later":1}`), "restored"},
		"a code of a newer broker":       {reply(418, problem, `{"status":418,"code":"teapot"}`), "teapot"},
		"a challenge that moves cursors": {reply(401, problem, `{"status":401,"code":"token_unknown","challenge":"\u001b[2J"}`), ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := client(t, brokerclient.Config{URL: serve(t, tt.handler)})
			token := session.NewToken()
			info, err := c.Session(t.Context(), token)
			check(t, err, tt.code)
			if tt.code == "ok" && info.Role != "agent" {
				t.Errorf("%+v", info)
			}
			if err != nil && strings.Contains(err.Error(), token.Reveal()) {
				t.Errorf("the token is in %v", err)
			}
		})
	}
}

// A proxy's limit is named with the size that it refused: its own page says nothing.
func TestAProxyThatTakesNoLargeRequest(t *testing.T) {
	t.Parallel()
	c := client(t, brokerclient.Config{URL: serve(t, reply(413, "text/html", "<h1>413 Request Entity Too Large</h1>"))})
	err := c.Report(t.Context(), session.NewToken(), protocol.Report{Host: strings.Repeat("x", 5000)})
	check(t, err, "")
	if !regexp.MustCompile(`no request of 5\d\d\d bytes`).MatchString(err.Error()) || !strings.Contains(err.Error(), "client_max_body_size 9m") {
		t.Error(err)
	}
}

func check(t *testing.T, err error, code string) {
	t.Helper()
	var p *protocol.Problem
	switch {
	case code == "ok":
		if err != nil {
			t.Fatal(err)
		}
	case code == "":
		if !errors.Is(err, protocol.ErrUnreachable) || errors.As(err, &p) {
			t.Fatalf("not unreachable: %v", err)
		}
	case !errors.As(err, &p) || p.Code != code || errors.Is(err, protocol.ErrUnreachable):
		t.Fatalf("not %s: %v", code, err)
	}
}

func TestADoneThatABrokerNeverSaidIsNone(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		handler http.HandlerFunc
		code    string
	}{
		"no content":       {reply(204, "", ""), "ok"},
		"an entry":         {reply(200, "application/json", `{}`), "ok"},
		"a portal's page":  {reply(200, "text/html", "ok"), ""},
		"a bare ok":        {reply(200, "", ""), ""},
		"not modified":     {reply(304, "", ""), ""},
		"accepted":         {reply(202, "application/json", `{}`), ""},
		"a redirect":       {reply(303, "", ""), ""},
		"the broker's 403": {reply(403, protocol.ProblemType, `{"status":403,"code":"denied"}`), "denied"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := client(t, brokerclient.Config{URL: serve(t, tt.handler)})
			check(t, c.EndSession(t.Context(), session.NewToken(), protocol.EndSession{}), tt.code)
		})
	}
}

func TestARedirectIsNotFollowed(t *testing.T) {
	t.Parallel()
	var visits atomic.Int32
	elsewhere := serve(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { visits.Add(1) }))
	for _, status := range []int{301, 302, 303, 307, 308} {
		c := client(t, brokerclient.Config{URL: serve(t, http.RedirectHandler(elsewhere+"/v1/session", status))})
		_, err := c.Session(t.Context(), session.NewToken())
		check(t, err, "")
	}
	if visits.Load() != 0 {
		t.Errorf("followed %d times, with the token", visits.Load())
	}
}

func TestOnlyAnOwnersListMayBeLarge(t *testing.T) {
	t.Parallel()
	padded := func(body string) string {
		return serve(t, reply(200, "application/json", strings.Repeat(" ", brokerclient.MaxReply)+body))
	}
	_, err := client(t, brokerclient.Config{URL: padded(sessionJSON)}).Session(t.Context(), session.NewToken())
	check(t, err, "")
	_, err = client(t, brokerclient.Config{URL: padded(`{"agents":[]}`)}).Agents(t.Context(), session.NewToken(), 0)
	check(t, err, "ok")
}

func TestAnAnswerIsBounded(t *testing.T) {
	t.Parallel()
	flood := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		block := []byte(strings.Repeat(" ", 1<<20))
		for range brokerclient.MaxReply>>20 + 4 {
			if _, err := w.Write(block); err != nil {
				return
			}
		}
	}
	fat := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Fat", strings.Repeat("x", 1<<20))
	}
	for name, h := range map[string]http.HandlerFunc{"body": flood, "header": fat} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := client(t, brokerclient.Config{URL: serve(t, h)}).Session(t.Context(), session.NewToken())
			check(t, err, "")
		})
	}
}

func TestASlowBrokerIsAway(t *testing.T) {
	t.Parallel()
	stop := make(chan struct{})
	hang := func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/session" { // header comes, the body never ends
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, sessionJSON[:20])
			_ = http.NewResponseController(w).Flush()
		}
		select {
		case <-r.Context().Done():
		case <-stop:
		}
	}
	url := serve(t, http.HandlerFunc(hang))
	defer close(stop)
	c := client(t, brokerclient.Config{URL: url, Timeout: 50 * time.Millisecond})
	_, err := c.Session(t.Context(), session.NewToken())
	check(t, err, "")
	_, err = c.Info(t.Context())
	check(t, err, "")
}

func TestALongPollMayOutlastTheTimeout(t *testing.T) {
	t.Parallel()
	c := client(t, brokerclient.Config{Timeout: 10 * time.Millisecond, URL: serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-time.After(200 * time.Millisecond):
		case <-r.Context().Done():
		}
		reply(202, "application/json", `{"expires_in":600,"interval":2}`)(w, r)
	}))})
	if granted, err := c.PollPairing(t.Context(), session.NewToken(), 25*time.Second); granted != nil || err != nil {
		t.Fatal(granted, err)
	}
}

func TestNobodyListens(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"http://127.0.0.1:1", "unix://" + filepath.Join(t.TempDir(), "none.sock")} {
		_, err := client(t, brokerclient.Config{URL: url}).Info(t.Context())
		check(t, err, "")
	}
}

func TestTheCallersEndIsNotTheBrokersFault(t *testing.T) {
	t.Parallel()
	var got string
	ctx, cancel := context.WithCancel(t.Context())
	c := client(t, brokerclient.Config{
		URL:     serve(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { cancel(); <-r.Context().Done() })),
		Observe: func(_, code string, _ time.Duration) { got = code },
	})
	_, _, err := c.Sync(ctx, session.NewToken(), "", time.Minute)
	if !errors.Is(err, context.Canceled) || got != "canceled" {
		t.Errorf("%v, observed %q", err, got)
	}
}

func TestABrokerOnAUnixSocket(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "b.sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(reply(200, "application/json", sessionJSON))
	_ = s.Listener.Close()
	s.Listener = l
	s.Start()
	defer s.Close()
	if _, err := client(t, brokerclient.Config{URL: "unix://" + path}).Session(t.Context(), secret.New("x")); err != nil {
		t.Fatal(err)
	}
}
