package httpapi_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/agentkeys/agentkeys/internal/broker/brokertest"
	"github.com/agentkeys/agentkeys/internal/broker/httpapi"
	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/scope"
)

// answer runs one request without a network.
func answer(api http.Handler, method, target, body string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	api.ServeHTTP(w, r)
	return w
}

func TestEveryErrorIsAProblem(t *testing.T) {
	t.Parallel()
	s := brokertest.Start(t)
	api := httpapi.New(httpapi.Config{Broker: s.Broker})
	const find = `{"lookup":"ABC"}`
	known := []string{"Authorization", "Bearer " + s.Owner().Token.Reveal()}
	for name, tc := range map[string]struct {
		method, target, body string
		headers              []string
		status               int
		code                 string
	}{
		"no such path":         {"GET", "/v2/info", "", nil, 404, protocol.CodeNotFound},
		"the root":             {"GET", "/", "", nil, 404, protocol.CodeNotFound},
		"a doubled slash":      {"GET", "//v1/info", "", nil, 404, protocol.CodeNotFound},
		"dots":                 {"GET", "/v1/../v1/info", "", nil, 404, protocol.CodeNotFound},
		"a slash at the end":   {"GET", "/v1/info/", "", nil, 404, protocol.CodeNotFound},
		"no such method":       {"PATCH", "/v1/info", "", nil, 405, protocol.CodeBadRequest},
		"HEAD":                 {"HEAD", "/v1/info", "", nil, 405, protocol.CodeBadRequest},
		"no body":              {"POST", "/v1/pairings/find", "", known, 400, protocol.CodeBadRequest},
		"no JSON":              {"POST", "/v1/pairings/find", "lookup=ABC", known, 400, protocol.CodeBadRequest},
		"an unknown field":     {"POST", "/v1/pairings/find", `{"lookup":"ABC","x":1}`, known, 400, protocol.CodeBadRequest},
		"a repeated field":     {"POST", "/v1/pairings/find", `{"lookup":"ABC","lookup":"ABC"}`, known, 400, protocol.CodeBadRequest},
		"a case-varied field":  {"POST", "/v1/pairings/find", `{"Lookup":"ABC"}`, known, 400, protocol.CodeBadRequest},
		"data after the body":  {"POST", "/v1/pairings/find", find + find, known, 400, protocol.CodeBadRequest},
		"a small lookup":       {"POST", "/v1/pairings/find", `{"lookup":"abc"}`, known, 400, protocol.CodeBadRequest},
		"no bearer":            {"POST", "/v1/pairings/find", find, nil, 401, protocol.CodeTokenUnknown},
		"a malformed bearer":   {"POST", "/v1/pairings/find", find, []string{"Authorization", "Bearer x"}, 401, protocol.CodeTokenUnknown},
		"another scheme":       {"POST", "/v1/pairings/find", find, []string{"Authorization", "Basic eDp5"}, 401, protocol.CodeTokenUnknown},
		"two bearers":          {"POST", "/v1/pairings/find", find, []string{"Authorization", "Bearer x", "Authorization", "Bearer y"}, 401, protocol.CodeTokenUnknown},
		"a wrong checksum":     {"GET", "/v1/agents/0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeD", "", nil, 400, protocol.CodeBadRequest},
		"no wallet":            {"GET", "/v1/agents/x", "", nil, 400, protocol.CodeBadRequest},
		"waiting too long":     {"GET", "/v1/agent/sync?wait=51", "", nil, 400, protocol.CodeBadRequest},
		"no rows":              {"GET", "/v1/audit?limit=0", "", nil, 400, protocol.CodeBadRequest},
		"too many rows":        {"GET", "/v1/audit?limit=1001", "", nil, 400, protocol.CodeBadRequest},
		"no end of a trail":    {"GET", "/v1/audit?from=start", "", nil, 400, protocol.CodeBadRequest},
		"a repeated parameter": {"GET", "/v1/agent/sync?wait=1&wait=1", "", nil, 400, protocol.CodeBadRequest},
		"no If-Match":          {"PUT", "/v1/agents/0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed/manifest", "{}", nil, 400, protocol.CodeBadRequest},
		"a weak If-Match":      {"PUT", "/v1/agents/0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed/manifest", "{}", []string{"If-Match", `W/"1"`}, 400, protocol.CodeBadRequest},
	} {
		w := answer(api, tc.method, tc.target, tc.body, tc.headers...)
		var p protocol.Problem
		if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
			t.Errorf("%s: %v: %s", name, err, w.Body)
		}
		if w.Code != tc.status || p.Code != tc.code || p.Status != tc.status || w.Header().Get("Content-Type") != protocol.ProblemType {
			t.Errorf("%s: %d %s %s", name, w.Code, w.Header().Get("Content-Type"), w.Body)
		}
	}
}

// Whatever a web page sends, by fetch in any mode, a form, sendBeacon, a ping, or after it
// made its own name point at this machine, changes nothing and tells nothing.
func TestNoWebPageIsServed(t *testing.T) {
	t.Parallel()
	s := brokertest.Start(t)
	api := httpapi.New(httpapi.Config{Broker: s.Broker})
	opening, err := json.Marshal(brokertest.NewDevice(t, "").Opening())
	if err != nil {
		t.Fatal(err)
	}
	asJSON := []string{"Content-Type", "application/json"}
	for name, page := range map[string][]string{
		"fetch without cors, of a Blob without a type": {"Origin", "https://example.com", "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "no-cors"},
		"fetch without cors and without a referrer":    {"Origin", "null"},
		"a form":                            {"Origin", "https://example.com", "Content-Type", "text/plain"},
		"a form of a browser without Fetch": {"Content-Type", "application/x-www-form-urlencoded"},
		"sendBeacon of a text":              {"Origin", "https://example.com", "Content-Type", "text/plain;charset=UTF-8"},
		"a ping":                            {"Origin", "https://example.com", "Content-Type", "text/ping"},
		"a page whose name points here":     append([]string{"Origin", "http://example.com:8420", "Host", "example.com:8420"}, asJSON...),
		"an extension":                      append([]string{"Origin", "moz-extension://x", "Sec-Fetch-Site", "same-origin"}, asJSON...),
		"a same-site page":                  append([]string{"Sec-Fetch-Site", "same-site"}, asJSON...),
		"an empty origin":                   append([]string{"Origin", ""}, asJSON...),
	} {
		if w := answer(api, "POST", "/v1/pairings", string(opening), page...); w.Code != 403 && w.Code != 415 || s.LivePairings() != 0 {
			t.Errorf("%s: %d %s, %d pairings", name, w.Code, w.Body, s.LivePairings())
		}
	}
	for _, target := range []string{"/v1/info", "/v1/identities/bot", "/v1/session"} {
		for _, site := range []string{"cross-site", "same-site", "same-origin"} {
			if w := answer(api, "GET", target, "", "Sec-Fetch-Site", site); w.Code != 403 {
				t.Errorf("GET %s, %s: %d", target, site, w.Code)
			}
		}
	}
	if w := answer(api, "OPTIONS", "/v1/pairings", "", "Origin", "https://example.com", "Access-Control-Request-Method", "POST"); w.Code < 400 ||
		w.Header().Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("a preflight: %d %v", w.Code, w.Header())
	}
	if w := answer(api, "GET", "/v1/info", "", "Sec-Fetch-Site", "none"); w.Code != 200 {
		t.Errorf("a person who typed the address: %d", w.Code)
	}
	if w := answer(api, "POST", "/v1/pairings", string(opening)); w.Code != 201 || s.LivePairings() != 1 {
		t.Errorf("a script without a type: %d %s", w.Code, w.Body)
	}
}

func TestWhoseForwardedAddressCounts(t *testing.T) {
	t.Parallel()
	s := brokertest.Start(t)
	owner := s.Owner()
	proxies := []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("10.0.0.0/8")} // httptest comes from 192.0.2.1
	for name, tc := range map[string]struct {
		trusted   []netip.Prefix
		forwarded []string
		want      string
	}{
		"nobody is trusted":         {nil, []string{"198.51.100.1"}, "192.0.2.1"},
		"a proxy":                   {proxies, []string{"198.51.100.1"}, "198.51.100.1"},
		"a client that lies":        {proxies, []string{"203.0.113.9, 198.51.100.1"}, "198.51.100.1"},
		"two proxies":               {proxies, []string{"203.0.113.9, 198.51.100.1", "10.1.1.1"}, "198.51.100.1"},
		"a proxy that says nothing": {proxies, nil, "192.0.2.1"},
		"garbage":                   {proxies, []string{"<script>"}, "192.0.2.1"},
	} {
		d := s.Agent(owner, scope.All())
		api := httpapi.New(httpapi.Config{Broker: s.Broker, TrustedProxies: tc.trusted})
		headers := []string{"Authorization", "Bearer " + d.Token.Reveal()}
		for _, f := range tc.forwarded {
			headers = append(headers, "X-Forwarded-For", f)
		}
		if w := answer(api, "GET", "/v1/session", "", headers...); w.Code != 200 {
			t.Fatal(name, w.Code, w.Body)
		}
		agent := brokertest.Must(s.Broker.Agent(t.Context(), owner.Credentials(), d.Wallet))(t)
		if agent.Address != tc.want {
			t.Errorf("%s: %s, want %s", name, agent.Address, tc.want)
		}
		s.Clock.Jump(10e9)
	}
}

func TestAPanicIsOneRequestsEnd(t *testing.T) {
	t.Parallel()
	api := httpapi.New(httpapi.Config{}) // no rules behind it: every operation panics
	w := answer(api, "GET", "/v1/info", "")
	if w.Code != 503 || !strings.Contains(w.Body.String(), protocol.CodeUnavailable) {
		t.Error(w.Code, w.Body)
	}
}

func FuzzRequest(f *testing.F) {
	s := brokertest.Start(f)
	owner := s.Owner()
	api := httpapi.New(httpapi.Config{Broker: s.Broker})
	f.Add("POST", "/v1/pairings/find", []byte(`{"lookup":"ABC"}`), "")
	f.Add("PUT", "/v1/agents/"+owner.Wallet.String()+"/manifest", []byte(`{"manifest":{"manifest":"","signature":""},"records":[]}`), `"0"`)
	f.Add("GET", "/v1/agent/sync?wait=0", []byte{}, "")
	f.Add("GET", "/v1/audit?since=1&cursor=2&limit=1000&from=end&agent="+owner.Wallet.String(), []byte{}, "")
	f.Add("POST", "/v1/session/resume", []byte(`{"wallet":"`+owner.Wallet.String()+`","next_sha256":"","challenge":"","proof":""}`), "")
	f.Fuzz(func(t *testing.T, method, target string, body []byte, match string) {
		r, err := http.NewRequest(method, "http://broker"+target, bytes.NewReader(body))
		if err != nil || !strings.HasPrefix(target, "/") || strings.Contains(target, "wait=") {
			return
		}
		r.RemoteAddr = "192.0.2.1:1"
		r.Header.Set("Authorization", "Bearer "+owner.Token.Reveal())
		r.Header.Set("If-Match", match)
		w := httptest.NewRecorder()
		api.ServeHTTP(w, r)
		data, err := io.ReadAll(w.Result().Body)
		if err != nil {
			t.Fatal(err)
		}
		if w.Code >= 500 || (len(data) > 0 && !json.Valid(data)) {
			t.Fatalf("%d %s", w.Code, data)
		}
	})
}
