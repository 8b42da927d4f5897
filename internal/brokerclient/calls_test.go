package brokerclient_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/agentkeys/agentkeys/internal/brokerclient"
	"github.com/agentkeys/agentkeys/internal/health"
	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/secret"
	"github.com/agentkeys/agentkeys/internal/wallet"
)

const (
	signed    = `"manifest":"bQ","signature":"cw"`
	agentJSON = `{"wallet":"` + someWallet + `","state":"online","manifest":{` + signed + `},"created_at":1,"expires_at":2,"last_seen":3,` +
		`"address":"a","machine":"m","host":"h","version":"v","storage_backend":"file","keychain_state":"disabled"}`
	recordJSON = `{"service":"openrouter","revision":4,"data":"ZA"}`
	someWallet = "0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed"
)

// one is a call with the request that it must make and the reply that it must read.
type one struct {
	call    func(context.Context, *brokerclient.Client) (any, error)
	request string // method, path, and what the headers and body add
	status  int
	reply   string
	want    any
}

func calls(t *testing.T) map[string]one {
	t.Helper()
	token := secret.New("T")
	w, err := wallet.Parse(someWallet)
	if err != nil {
		t.Fatal(err)
	}
	info := protocol.SessionInfo{Wallet: w, Role: "agent", CreatedAt: 1, ExpiresAt: 2, Time: 3}
	sealed := protocol.SealedRecord{Service: "openrouter", Revision: 4, Data: protocol.Bytes("d")}
	manifest := protocol.SignedManifest{Manifest: protocol.Bytes("m"), Signature: protocol.Bytes("s")}
	agent := protocol.Agent{
		Wallet: w, State: "online", Manifest: manifest, CreatedAt: 1, ExpiresAt: 2, LastSeen: 3,
		Address: "a", Machine: "m", Host: "h", Version: "v", StorageBackend: "file", KeychainState: "disabled",
	}
	done := func(err error) (any, error) { return nil, err }
	type c = brokerclient.Client
	return map[string]one{
		"info": {func(x context.Context, c *c) (any, error) { return c.Info(x) },
			"GET /v1/info", 200, `{"version":"1","epoch":"e","time":5}`, protocol.Info{Version: "1", Epoch: "e", Time: 5}},
		"create_account": {func(x context.Context, c *c) (any, error) {
			return c.CreateAccount(x, token, protocol.Account{Wallet: w, Signature: protocol.Bytes("s")})
		}, `POST /v1/accounts T {"wallet":"` + someWallet + `","token_sha256":"","recipient":"","signing_key":"","signature":"cw"}`, 201, sessionJSON, info},
		"open_account": {func(x context.Context, c *c) (any, error) {
			c.SetEpoch("e2")
			return done(c.OpenAccount(x, token, protocol.OpenAccount{Epoch: "e2", Proof: protocol.Bytes("s")}))
		}, `POST /v1/accounts/open T Agentkeys-Epoch="e2" {"epoch":"e2","proof":"cw"}`, 204, "", nil},
		"session": {func(x context.Context, c *c) (any, error) { return c.Session(x, token) }, "GET /v1/session T", 200, sessionJSON, info},
		"end_session": {func(x context.Context, c *c) (any, error) {
			return done(c.EndSession(x, token, protocol.EndSession{Proof: protocol.Bytes("s")}))
		}, `DELETE /v1/session T {"proof":"cw"}`, 204, "", nil},
		"renew": {func(x context.Context, c *c) (any, error) { return c.Renew(x, token, protocol.Renew{NextSHA256: "n"}) },
			`POST /v1/session/renew T {"next_sha256":"n","proof":""}`, 200, sessionJSON, info},
		"resume": {func(x context.Context, c *c) (any, error) {
			return c.Resume(x, protocol.Resume{Wallet: w, NextSHA256: "n", Challenge: "c"})
		}, `POST /v1/session/resume {"wallet":"` + someWallet + `","next_sha256":"n","challenge":"c","proof":""}`, 200, sessionJSON, info},
		"open_pairing": {func(x context.Context, c *c) (any, error) {
			return c.OpenPairing(x, protocol.OpenPairing{Lookup: "K7Q"})
		},
			`POST /v1/pairings {"lookup":"K7Q","token_sha256":"","request":"","mac":""}`, 201, `{"expires_in":600,"interval":2}`,
			protocol.PairingOpened{ExpiresIn: 600, Interval: 2}},
		"poll_pairing": {func(x context.Context, c *c) (any, error) { return c.PollPairing(x, token, 25*time.Second) },
			"GET /v1/pairings/self?wait=25 T", 200, `{"grant":"Zw","grant_mac":"bQ","manifest":{` + signed + `}}`,
			&protocol.Granted{Grant: protocol.Bytes("g"), GrantMAC: protocol.Bytes("m"), Manifest: manifest}},
		"find_pairing": {func(x context.Context, c *c) (any, error) { return c.FindPairing(x, token, "K7Q") },
			`POST /v1/pairings/find T {"lookup":"K7Q"}`, 200, `{"token_sha256":"t","request":"cg","mac":"bQ","age_seconds":1,"expires_in":2,"address":"a"}`,
			protocol.FoundPairing{TokenSHA256: "t", Request: protocol.Bytes("r"), MAC: protocol.Bytes("m"), AgeSeconds: 1, ExpiresIn: 2, Address: "a"}},
		"approve_pairing": {func(x context.Context, c *c) (any, error) {
			return done(c.ApprovePairing(x, token, protocol.ApprovePairing{Lookup: "K7Q", Records: []protocol.SealedRecord{sealed}}))
		}, `POST /v1/pairings/approve T {"lookup":"K7Q","token_sha256":"","grant":"","grant_mac":"","manifest":{"manifest":"","signature":""},"records":[` + recordJSON + `]}`, 200, `{}`, nil},
		"deny_pairing": {func(x context.Context, c *c) (any, error) {
			return done(c.DenyPairing(x, token, protocol.DenyPairing{Lookup: "K7Q"}))
		}, `POST /v1/pairings/deny T {"lookup":"K7Q","token_sha256":"","mac":""}`, 200, `{}`, nil},
		"pairings": {func(x context.Context, c *c) (any, error) { return c.Pairings(x, token) }, "GET /v1/pairings T", 200,
			`{"pairings":[{"kind":"pair","state":"used","host":"h","alias":"a","time":1}]}`,
			[]protocol.PairingEntry{{Kind: "pair", State: "used", Host: "h", Alias: "a", Time: 1}}},
		"agents":   {func(x context.Context, c *c) (any, error) { return c.Agents(x, token, 0) }, "GET /v1/agents T", 200, `{"agents":[` + agentJSON + `]}`, protocol.AgentList{Agents: []protocol.Agent{agent}}},
		"teardown": {func(x context.Context, c *c) (any, error) { return done(c.Teardown(x, token, w)) }, "DELETE /v1/agents/" + someWallet + " T", 204, "", nil},
		"revoke":   {func(x context.Context, c *c) (any, error) { return done(c.Revoke(x, token, w)) }, "DELETE /v1/agents/" + someWallet + "/session T", 204, "", nil},
		"reopen": {func(x context.Context, c *c) (any, error) {
			return done(c.Reopen(x, token, w, protocol.Reopen{Proof: protocol.Bytes("s")}))
		}, "POST /v1/agents/" + someWallet + `/reopen T {"proof":"cw"}`, 204, "", nil},
		"manifest": {func(x context.Context, c *c) (any, error) { return c.Manifest(x, token, w) }, "GET /v1/agents/" + someWallet + "/manifest T", 200,
			`{` + signed + `,"revision":2}`, protocol.ManifestReply{SignedManifest: manifest, Revision: 2}},
		"put_manifest": {func(x context.Context, c *c) (any, error) {
			return c.PutManifest(x, token, w, 1, protocol.PutManifest{Manifest: manifest, Records: []protocol.SealedRecord{}})
		}, "PUT /v1/agents/" + someWallet + `/manifest T If-Match="1" {"manifest":{` + signed + `},"records":[]}`, 200,
			`{` + signed + `,"revision":2}`, protocol.ManifestReply{SignedManifest: manifest, Revision: 2}},
		"record": {func(x context.Context, c *c) (any, error) { return c.Record(x, token, w, "openrouter") },
			"GET /v1/agents/" + someWallet + "/records/openrouter T", 200, recordJSON, sealed},
		"sync": {func(x context.Context, c *c) (any, error) {
			s, etag, err := c.Sync(x, token, `"a"`, 50*time.Second)
			return []any{s, etag}, err
		}, `GET /v1/agent/sync?wait=50 T If-None-Match="a"`, 200, `{` + signed + `,"revision":2}`,
			[]any{&protocol.Sync{SignedManifest: manifest, Revision: 2}, `"new"`}},
		"report": {func(x context.Context, c *c) (any, error) {
			return done(c.Report(x, token, protocol.Report{State: "online", Events: []protocol.Event{}}))
		}, `POST /v1/agent/report T {"version":"","host":"","storage_backend":"","keychain_state":"","state":"online","events":[]}`, 204, "", nil},
		"identity": {func(x context.Context, c *c) (any, error) { return c.Identity(x, "a/b?c@d.example") },
			"GET /v1/identities/a%2Fb%3Fc@d.example", 200, `{"wallet":"` + someWallet + `"}`, w},
		"audit": {func(x context.Context, c *c) (any, error) {
			return c.Audit(x, token, protocol.AuditQuery{Agent: w, Service: "s", Action: "revoked", Since: 7, Cursor: 8})
		}, "GET /v1/audit?action=revoked&agent=" + someWallet + "&cursor=8&service=s&since=7 T", 200, `{"rows":[],"next":9,"head":{"number":1,"sha256":"h"}}`,
			protocol.Audit{Rows: []protocol.AuditRow{}, Next: 9, Head: protocol.AuditHead{Number: 1, SHA256: "h"}}},
	}
}

func TestEachCall(t *testing.T) {
	t.Parallel()
	for name, tt := range calls(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got, agent string
			url := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				got, agent = describe(t, r), r.UserAgent()
				w.Header().Set("ETag", `"new"`)
				w.Header().Set(protocol.EpochHeader, "e3")
				reply(tt.status, "application/json", tt.reply)(w, r)
			}))
			var observed []string
			c := client(t, brokerclient.Config{URL: url, Version: "v9", Observe: func(operation, code string, d time.Duration) {
				observed = append(observed, operation, code)
				if d <= 0 {
					t.Errorf("took %v", d)
				}
			}})
			reply, err := tt.call(t.Context(), c)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.request, got); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(tt.want, reply, cmp.Comparer(func(a, b wallet.Wallet) bool { return a == b })); diff != "" {
				t.Error(diff)
			}
			if c.SeenEpoch() != "e3" {
				t.Errorf("the epoch of the answer is %q", c.SeenEpoch())
			}
			if !slices.Equal(observed, []string{name, "ok"}) || agent != "agentkeys/v9" {
				t.Errorf("observed %q, user agent %q", observed, agent)
			}
			knownToMetrics(t, name)
		})
	}
}

// describe is what a server sees of a request: "METHOD path token headers body".
func describe(t *testing.T, r *http.Request) string {
	t.Helper()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Error(err)
	}
	parts := []string{r.Method, r.RequestURI}
	if token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		parts = append(parts, token)
	}
	for _, h := range []string{"If-Match", "If-None-Match"} {
		if v := r.Header.Get(h); v != "" {
			parts = append(parts, h+"="+v)
		}
	}
	if v := r.Header.Get(protocol.EpochHeader); v != "" {
		parts = append(parts, fmt.Sprintf("%s=%q", protocol.EpochHeader, v))
	}
	if len(body) > 0 {
		parts = append(parts, string(body))
	}
	return strings.Join(parts, " ")
}

func knownToMetrics(t *testing.T, operation string) {
	t.Helper()
	m := health.NewMetrics(someWallet, "v", health.NewConditions(time.Now, slog.New(slog.DiscardHandler), someWallet))
	m.BrokerRequest(operation, "ok", time.Second)
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if !strings.Contains(w.Body.String(), `operation="`+operation+`"`) {
		t.Errorf("the metrics do not know %s", operation)
	}
}

func TestNothingNewIsNil(t *testing.T) {
	t.Parallel()
	var codes []string
	observe := func(_, code string, _ time.Duration) { codes = append(codes, code) }
	c := client(t, brokerclient.Config{URL: serve(t, reply(304, "", "")), Observe: observe})
	if s, etag, err := c.Sync(t.Context(), secret.New("T"), `"a"`, time.Second); s != nil || etag != `"a"` || err != nil {
		t.Error(s, etag, err)
	}
	_, _, err := c.Sync(t.Context(), secret.New("T"), "", time.Second)
	check(t, err, "") // "not modified" to a question without a tag
	c = client(t, brokerclient.Config{URL: serve(t, reply(202, "application/json", `{}`)), Observe: observe})
	if g, err := c.PollPairing(t.Context(), secret.New("T"), 0); g != nil || err != nil {
		t.Error(g, err)
	}
	if want := []string{"not_modified", "not_modified", "pending"}; !slices.Equal(codes, want) {
		t.Errorf("observed %q", codes)
	}
}
