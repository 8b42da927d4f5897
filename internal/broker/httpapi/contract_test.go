package httpapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sort"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"

	"github.com/agentkeys/agentkeys/internal/broker/brokertest"
	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/secret"
)

const documentPath = "../../../api/broker.openapi.yaml"

// contract drives a real server and holds every request and answer against the document.
type contract struct {
	t      *testing.T
	s      *brokertest.Server
	doc    *openapi3.T
	router routers.Router
	seen   map[string]bool // "operation status"
}

func newContract(t *testing.T) *contract {
	t.Helper()
	openapi3filter.RegisterBodyDecoder(protocol.ProblemType, openapi3filter.JSONBodyDecoder)
	doc := brokertest.Must(openapi3.NewLoader().LoadFromFile(documentPath))(t)
	if err := doc.Validate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return &contract{
		t: t, s: brokertest.Start(t), doc: doc, seen: map[string]bool{},
		router: brokertest.Must(gorillamux.NewRouter(doc))(t),
	}
}

// call is one request of a case.
type call struct {
	op      string
	method  string
	path    string
	token   secret.String
	body    any // nil: none; []byte: as it is
	headers map[string]string
}

// reply is what the server said.
type reply struct {
	*http.Response
	body []byte
	err  error
}

func send(req *http.Request) reply {
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return reply{err: err}
	}
	body, err := io.ReadAll(res.Body)
	return reply{Response: res, body: body, err: errors.Join(err, res.Body.Close())}
}

// want sends r and fails unless the status is the wanted one, the answer is as
// documented, and, where the server took the request, the request too.
func (c *contract) want(r call, status int, code string) []byte {
	c.t.Helper()
	return c.check(r, send(c.request(r)), status, code)
}

func (c *contract) check(r call, got reply, status int, code string) []byte {
	c.t.Helper()
	if got.err != nil {
		c.t.Fatal(got.err)
	}
	var p protocol.Problem
	if status >= 400 {
		_ = json.Unmarshal(got.body, &p) // a malformed one fails below
	}
	if got.StatusCode != status || p.Code != code {
		c.t.Fatalf("%s: %d %q, want %d %q: %s", r.op, got.StatusCode, p.Code, status, code, got.body)
	}
	c.validate(r, got.Response, got.body)
	c.seen[r.op+" "+strconv.Itoa(status)] = true
	return got.body
}

func (c *contract) request(r call) *http.Request {
	c.t.Helper()
	data, raw := r.body.([]byte)
	if r.body != nil && !raw {
		data = brokertest.Must(json.Marshal(r.body))(c.t)
	}
	req := brokertest.Must(http.NewRequestWithContext(c.t.Context(), r.method, c.s.URL+r.path, bytes.NewReader(data)))(c.t)
	if r.body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if !r.token.IsZero() {
		req.Header.Set("Authorization", "Bearer "+r.token.Reveal())
	}
	for k, v := range r.headers {
		req.Header.Set(k, v)
	}
	return req
}

func (c *contract) validate(r call, res *http.Response, answer []byte) {
	c.t.Helper()
	req := c.request(r)
	route, params, err := c.router.FindRoute(req)
	if err != nil {
		c.t.Fatalf("%s: %v", r.op, err)
	}
	if route.Operation.OperationID != r.op {
		c.t.Fatalf("%s %s is operation %s, not %s", r.method, r.path, route.Operation.OperationID, r.op)
	}
	in := &openapi3filter.RequestValidationInput{
		Request: req, PathParams: params, Route: route,
		Options: &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc},
	}
	switch res.StatusCode {
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType:
	default:
		if err := openapi3filter.ValidateRequest(c.t.Context(), in); err != nil {
			c.t.Fatalf("%s: the server took a request that is not documented: %v", r.op, err)
		}
	}
	if route.Operation.Responses.Status(res.StatusCode) == nil {
		c.t.Fatalf("%s: status %d is not documented", r.op, res.StatusCode)
	}
	out := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: in, Status: res.StatusCode, Header: res.Header,
		Options: &openapi3filter.Options{IncludeResponseStatus: true},
	}
	out.SetBodyBytes(answer)
	if err := openapi3filter.ValidateResponse(context.Background(), out); err != nil {
		c.t.Fatalf("%s: the answer is not as documented: %v", r.op, err)
	}
}

// complete fails for every documented status that no case saw.
func (c *contract) complete() {
	c.t.Helper()
	var missing []string
	for path, item := range c.doc.Paths.Map() {
		for method, op := range item.Operations() {
			for status := range op.Responses.Map() {
				if key := op.OperationID + " " + status; !c.seen[key] {
					missing = append(missing, fmt.Sprintf("%s (%s %s)", key, method, path))
				}
			}
		}
	}
	sort.Strings(missing)
	if len(missing) > 0 {
		c.t.Errorf("documented but never seen:\n%s", strings.Join(missing, "\n"))
	}
}

// decoded reads an answer into a document of package protocol.
func decoded[T any](t *testing.T, answer []byte) T {
	t.Helper()
	var v T
	if err := json.Unmarshal(answer, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// waiting starts a long poll and gives what it answered once it did.
func (c *contract) waiting(r call) <-chan reply {
	c.t.Helper()
	req, answer := c.request(r), make(chan reply, 1)
	go func() { answer <- send(req) }()
	time.Sleep(50 * time.Millisecond) // only makes it likelier that it waits already
	return answer
}
