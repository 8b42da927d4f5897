package e2e_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// exchange is one request to the broker and the broker's honest answer.
type exchange struct {
	method, path string
	status       int
	header       http.Header
	body         []byte
}

// is reports whether the exchange is of that method, with a path that begins so.
func (e *exchange) is(method, prefix string) bool {
	return e.method == method && strings.HasPrefix(e.path, prefix)
}

// edit changes the answer's JSON; it does nothing to other answers.
func (e *exchange) edit(change func(map[string]any)) {
	var doc map[string]any
	dec := json.NewDecoder(bytes.NewReader(e.body))
	dec.UseNumber()
	if dec.Decode(&doc) != nil {
		return
	}
	change(doc)
	if out, err := json.Marshal(doc); err == nil {
		e.body = out
	}
}

// problem makes the answer an error of the broker's own form.
func (e *exchange) problem(status int, code string, more ...string) {
	doc := map[string]any{"type": "about:blank", "title": code, "status": status, "code": code}
	for i := 0; i < len(more); i += 2 {
		doc[more[i]] = more[i+1]
	}
	e.status, e.header = status, http.Header{"Content-Type": {"application/problem+json"}}
	e.body, _ = json.Marshal(doc) // a map of texts and a number
}

// liar is a broker that somebody else runs: a real one behind it, and a lie.
type liar struct {
	url  string
	real string
	t    testing.TB

	hasty bool // long polls end at once

	mu   sync.Mutex
	lie  func(*exchange)
	told int // how many answers were changed
	seen []string
}

func newLiar(t testing.TB, b *broker) *liar {
	t.Helper()
	l := &liar{real: b.url, t: t}
	s := httptest.NewServer(l)
	t.Cleanup(func() { s.CloseClientConnections(); s.Close() })
	l.url = s.URL
	return l
}

// tell sets the lie; nil is the truth. It returns how many answers the last one changed.
func (l *liar) tell(lie func(*exchange)) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	told := l.told
	l.lie, l.told = lie, 0
	return told
}

func (l *liar) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.told
}

// hurry makes long polls end at once from now on.
func (l *liar) hurry() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.hasty = true
}

// requests lists method and path of all requests so far.
func (l *liar) requests() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]string(nil), l.seen...)
}

func (l *liar) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	l.mu.Lock()
	l.seen = append(l.seen, r.Method+" "+r.URL.Path)
	l.mu.Unlock()
	e, err := l.forward(r)
	if err != nil {
		panic(http.ErrAbortHandler) // the client went away, or the broker did: no answer
	}
	before, status := bytes.Clone(e.body), e.status
	l.mu.Lock()
	if l.lie != nil {
		l.lie(e)
	}
	if status != e.status || !bytes.Equal(before, e.body) {
		l.told++
	}
	l.mu.Unlock()
	for k, v := range e.header {
		if k != "Content-Length" {
			w.Header()[k] = v
		}
	}
	w.WriteHeader(e.status)
	_, _ = w.Write(e.body) // the client may have gone
}

func (l *liar) forward(r *http.Request) (*exchange, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	target := l.real + r.URL.RequestURI()
	l.mu.Lock()
	if l.hasty {
		target = l.real + r.URL.Path
	}
	l.mu.Unlock()
	req, err := http.NewRequestWithContext(r.Context(), r.Method, target, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header = r.Header.Clone()
	req.Header.Set("Accept-Encoding", "identity")
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }() // read to its end
	answer, err := io.ReadAll(resp.Body)
	return &exchange{r.Method, r.URL.Path, resp.StatusCode, resp.Header.Clone(), answer}, err
}
