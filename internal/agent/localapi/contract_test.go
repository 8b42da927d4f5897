package localapi_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers/gorillamux"

	"github.com/agentkeys/agentkeys/internal/access"
)

// TestTheServerKeepsTheContract runs every operation and status of
// api/local.openapi.yaml and holds the answers to it.
func TestTheServerKeepsTheContract(t *testing.T) {
	t.Parallel()
	doc, err := openapi3.NewLoader().LoadFromFile("../../../api/local.openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(t.Context()); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, c := range []struct {
		rules   []access.Rule
		blocked bool
		method  string
		path    string
		accept  string
	}{
		{ownRule(), false, "GET", "/v1/credentials", ""},
		{nil, false, "GET", "/v1/credentials", ""},
		{ownRule(), true, "GET", "/v1/credentials", ""},
		{ownRule(), false, "POST", "/v1/credentials", ""},
		{ownRule(), false, "GET", "/v1/credentials/openrouter", ""},
		{ownRule(), false, "GET", "/v1/credentials/openrouter", "text/plain"},
		{ownRule(), false, "GET", "/v1/credentials/binary", ""},
		{ownRule(), false, "GET", "/v1/credentials/UPPER", ""},
		{ownRule(), false, "GET", "/v1/credentials/brave-search", ""},
		{ownRule(), false, "GET", "/v1/credentials/missing", ""},
		{ownRule(), true, "GET", "/v1/credentials/openrouter", ""},
		{ownRule(), false, "GET", "/v1/session", ""},
		{nil, false, "GET", "/v1/session", ""},
		{ownRule(), true, "GET", "/v1/session", ""},
		{ownRule(), false, "GET", "/v1/status", ""},
		{nil, false, "GET", "/v1/status", ""},
		{nil, false, "GET", "/livez", ""},
		{nil, false, "GET", "/readyz", ""},
		{nil, true, "GET", "/readyz?verbose=", ""},
		{nil, false, "GET", "/metrics", ""},
	} {
		agent, _ := start(t, &source{blocked: c.blocked}, false, c.rules, nil)
		validate(t, doc, agent, c.method, c.path, c.accept, seen)
	}
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			for status := range op.Responses.Map() {
				if !seen[method+" "+path+" "+status] {
					t.Errorf("documented but never seen: %s %s %s", method, path, status)
				}
			}
		}
	}
}

func validate(t *testing.T, doc *openapi3.T, c *http.Client, method, path, accept string, seen map[string]bool) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, "http://agent"+path, http.NoBody)
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
	router, err := gorillamux.NewRouter(doc)
	if err != nil {
		t.Fatal(err)
	}
	// A method that is not documented is looked up as the GET of its path: its answer is documented there.
	route, params, err := router.FindRoute(httptest.NewRequest(http.MethodGet, "http://agent"+path, http.NoBody))
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	seen["GET "+route.Path+" "+strings.TrimSpace(res.Status[:3])] = true
	in := &openapi3filter.RequestValidationInput{Request: req, PathParams: params, Route: route}
	err = openapi3filter.ValidateResponse(t.Context(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: in, Status: res.StatusCode, Header: res.Header, Body: io.NopCloser(bytes.NewReader(body)),
	})
	if err != nil {
		t.Errorf("%s %s -> %d %s: %v", method, path, res.StatusCode, body, err)
	}
}
