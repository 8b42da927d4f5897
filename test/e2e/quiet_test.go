package e2e_test

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"
)

// span is how long a test looks on; a daemon that spins makes hundreds of requests in it.
const span = 3 * time.Second

func generation(t *testing.T, dir string) int {
	t.Helper()
	n, err := strconv.Atoi(string(headFile(t, dir)["generation"]))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestAnIdleDaemonIsQuiet(t *testing.T) {
	t.Parallel()
	l, _, pi, w := lied(t)
	d := pi.daemon(w)
	d.serves("openrouter", keyOpenRouter)
	d.serves("anthropic", keyAnthropic)
	pi.cached(w, "anthropic")
	requests, lines, files := len(l.requests()), strings.Count(d.err.String(), "\n"), tree(t, pi.slot(w))
	time.Sleep(span)
	if more := l.requests()[requests:]; len(more) > 3 { // a report of the reads above, and its like
		t.Errorf("%d requests in %s: %v", len(more), span, more)
	}
	if more := strings.Count(d.err.String(), "\n") - lines; more > 0 {
		t.Errorf("%d lines of log in %s:\n%s", more, span, d.err)
	}
	for name, was := range files {
		if now := tree(t, pi.slot(w))[name]; now != was {
			t.Errorf("%s was written", name)
		}
	}
	if st := d.status(); st.State != "online" {
		t.Errorf("state %s", st.State)
	}
}

// Whatever a broker answers, the board neither spins nor wears its card out.
func TestALyingBrokerDoesNotKeepTheBoardBusy(t *testing.T) {
	t.Parallel()
	session := func(wallet string) func(*exchange) {
		return func(e *exchange) {
			body, err := json.Marshal(map[string]any{"wallet": wallet, "role": "agent", "created_at": time.Now().Unix(), "expires_at": time.Now().Unix() + 1000000, "time": time.Now().Unix()})
			if err == nil {
				e.status, e.header, e.body = http.StatusOK, http.Header{"Content-Type": {"application/json"}}, body
			}
		}
	}
	for name, lie := range map[string]func(wallet string) func(*exchange){
		"token unknown, resume good, token unknown": func(w string) func(*exchange) {
			return func(e *exchange) {
				if e.is(http.MethodGet, "/v1/agent/sync") {
					e.problem(http.StatusUnauthorized, "token_unknown", "challenge", "AAAAAAAAAAAAAAAAAAAAAA")
				} else if e.is(http.MethodPost, "/v1/session/resume") || e.is(http.MethodGet, "/v1/session") {
					session(w)(e)
				}
			}
		},
		"sync answers at once, without news": func(string) func(*exchange) {
			return func(e *exchange) {
				if e.is(http.MethodGet, "/v1/agent/sync") {
					e.status, e.body = http.StatusNotModified, nil
				}
			}
		},
		"a conflict at everything": func(string) func(*exchange) {
			return func(e *exchange) { e.problem(http.StatusConflict, "conflict") }
		},
		"a bad request at everything": func(string) func(*exchange) {
			return func(e *exchange) { e.problem(http.StatusBadRequest, "bad_request") }
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, _, pi, w := lied(t)
			l.hurry()
			l.tell(lie(w))
			before, requests := generation(t, pi.slot(w)), len(l.requests())
			d := pi.daemon(w)
			time.Sleep(span)
			if n := len(l.requests()) - requests; n > 24 {
				t.Errorf("%d requests in %s", n, span)
			}
			if n := generation(t, pi.slot(w)) - before; n > 6 {
				t.Errorf("%d saves in %s", n, span)
			}
			if n := strings.Count(d.err.String(), "\n"); n > 60 {
				t.Errorf("%d lines of log in %s", n, span)
			}
			if !d.running() {
				t.Errorf("the daemon ended: %s", d.err)
			}
		})
	}
}

func TestInitAgainSaysWhoIAmAndChangesNothing(t *testing.T) {
	t.Parallel()
	b := startBroker(t)
	o := newOwner(t, b)
	before := tree(t, o.home)
	for _, args := range [][]string{{"init"}, {"init", "--setup-token-file", b.data + "/setup-token"}} {
		r := o.must(args...)
		if !strings.Contains(strings.ToLower(r.stdout+r.stderr), o.wallet) || recoveryKey.MatchString(r.stdout+r.stderr) {
			t.Errorf("%v: %s%s", args, r.stdout, r.stderr)
		}
	}
	for name, was := range before {
		if now := tree(t, o.home)[name]; now != was && !strings.HasSuffix(name, ".lock") {
			t.Errorf("%s changed", name)
		}
	}
}
