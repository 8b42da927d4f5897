// Package httpapi serves the broker's HTTP interface, as api/broker.openapi.yaml describes it.
// It reads requests strictly, passes hashes of tokens to the rules, and writes their answers
// and refusals. It makes no decisions.
package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"path"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/agentkeys/agentkeys/internal/broker"
	"github.com/agentkeys/agentkeys/internal/protocol"
)

// Config is what New needs. X-Forwarded-For counts only from TrustedProxies. Observe is called
// after every answer with the route's pattern, never the URL. Log and Observe may be nil.
type Config struct {
	Broker         *broker.Broker
	Log            *slog.Logger
	TrustedProxies []netip.Prefix
	Observe        func(route string, status int, d time.Duration)
}

// API is the handler of the broker's listener.
type API struct {
	broker  *broker.Broker
	epoch   string // it does not change while a broker runs
	log     *slog.Logger
	trusted []netip.Prefix
	observe func(string, int, time.Duration)
	mux     *http.ServeMux
	large   chan struct{} // has one element for each large body that is being read
}

// New makes the handler.
func New(c Config) *API {
	a := &API{broker: c.Broker, log: c.Log, trusted: c.TrustedProxies, observe: c.Observe, mux: http.NewServeMux(), large: make(chan struct{}, largeAtOnce)}
	if a.log == nil {
		a.log = slog.New(slog.DiscardHandler)
	}
	if c.Broker != nil {
		a.epoch = c.Broker.Info().Epoch
	}
	if a.observe == nil {
		a.observe = func(string, int, time.Duration) {}
	}
	for route, methods := range a.routes() {
		a.mux.Handle(route, endpoint{api: a, route: route, methods: methods})
	}
	return a
}

// operation handles one method of one path. It returns a status and a document, or an error.
type operation func(r *request) (status int, body any, err error)

// endpoint is one path with its methods.
type endpoint struct {
	api     *API
	route   string
	methods map[string]operation
}

// ServeHTTP calls the endpoint of the request. Where there is none, the answer is a problem document.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if p := path.Clean(r.URL.Path); p == r.URL.Path {
		if h, route := a.mux.Handler(r); route != "" && h != nil {
			a.mux.ServeHTTP(w, r)
			return
		}
	}
	a.answer(w, r, "none", time.Now(), func() (int, any, error) {
		return 0, nil, problem(http.StatusNotFound, protocol.CodeNotFound, "no such path")
	})
}

func (e endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e.api.answer(w, r, e.route, time.Now(), func() (int, any, error) {
		op := e.methods[r.Method]
		if op == nil {
			w.Header().Set("Allow", strings.Join(sortedMethods(e.methods), ", "))
			return 0, nil, problem(http.StatusMethodNotAllowed, protocol.CodeBadRequest, "no such method on this path")
		}
		if fromPage(r) {
			return 0, nil, problem(http.StatusForbidden, protocol.CodeDenied, "this is no service for web pages")
		}
		return op(&request{Request: r, w: w, api: e.api})
	})
}

func sortedMethods(m map[string]operation) []string {
	var out []string
	for name := range m {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

// answer runs do, turns a panic or an unknown error into 503, and writes the answer.
func (a *API) answer(w http.ResponseWriter, r *http.Request, route string, start time.Time, do func() (int, any, error)) {
	status, body, err := a.guarded(route, do)
	if r.Context().Err() != nil && err != nil {
		status = 499 // the client closed the connection, so no answer is read; this is for the metrics
		a.observe(route, status, time.Since(start))
		return
	}
	if err != nil {
		p := a.problemOf(route, err)
		status, body = p.Status, p
		w.Header().Set("Content-Type", protocol.ProblemType)
		if p.RetryAfter > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(p.RetryAfter))
		}
		if status == http.StatusUnauthorized {
			w.Header().Set("WWW-Authenticate", "Bearer")
		}
	} else if body != nil {
		w.Header().Set("Content-Type", "application/json")
	}
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set(protocol.EpochHeader, a.epoch)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	a.write(w, status, body)
	a.observe(route, status, time.Since(start))
	a.log.Debug("request", "method", r.Method, "route", route, "status", status, "seconds", time.Since(start).Seconds())
}

func (a *API) write(w http.ResponseWriter, status int, body any) {
	if body == nil {
		w.WriteHeader(status)
		return
	}
	data, err := json.Marshal(body)
	if err != nil {
		a.log.Error("encode answer", "error", err)
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	w.WriteHeader(status)
	if _, err := w.Write(data); err != nil {
		a.log.Debug("write answer", "error", err)
	}
}

func (a *API) guarded(route string, do func() (int, any, error)) (status int, body any, err error) {
	defer func() {
		if v := recover(); v != nil {
			a.log.Error("panic in a request", "route", route, "stack", string(debug.Stack()))
			err = problem(http.StatusServiceUnavailable, protocol.CodeUnavailable, "an internal error; it was logged")
		}
	}()
	return do()
}

// problemOf turns an error of the rules or the store into the problem that the client gets.
func (a *API) problemOf(route string, err error) *protocol.Problem {
	var p *protocol.Problem
	if errors.As(err, &p) {
		return p
	}
	if u := (*broker.Unwritable)(nil); errors.As(err, &u) {
		return u.Problem()
	}
	if !errors.Is(err, context.Canceled) {
		a.log.Error("request failed", "route", route, "error", err)
	}
	return problem(http.StatusServiceUnavailable, protocol.CodeUnavailable, "the broker cannot answer now")
}

func problem(status int, code, detail string) *protocol.Problem {
	return &protocol.Problem{Type: "about:blank", Title: http.StatusText(status), Status: status, Code: code, Detail: detail}
}
