package localclient_test

import (
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/agentkeys/agentkeys/internal/localclient"
	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/wallet"
)

const someWallet = "0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed"

// daemon listens on a socket of its own and answers by h.
func daemon(t *testing.T, h http.HandlerFunc) *localclient.Client {
	t.Helper()
	return localclient.New(listen(t, h))
}

// listen is the path of a socket on which h answers.
func listen(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "ak") // t.TempDir is too long for a socket on macOS
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	path := filepath.Join(dir, "agent.sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: h, ReadHeaderTimeout: time.Minute}
	go func() { _ = s.Serve(l) }()
	t.Cleanup(func() { _ = s.Close() })
	return path
}

func reply(status int, kind, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func TestADaemonIsRead(t *testing.T) {
	t.Parallel()
	answers := map[string]string{
		"/v1/credentials":            `{"credentials":[{"service":"openrouter","revision":2,"age_seconds":-1}],"new":1}`,
		"/v1/credentials/openrouter": `{"service":"openrouter","revision":2,"age_seconds":3,"credential":"sk-1"}`,
		"/v1/credentials/binary":     `{"service":"binary","revision":1,"age_seconds":3,"credential_base64":"/wA="}`,
		"/v1/status": `{"wallet":"` + someWallet + `","state":"online","session":null,"storage":{"backend":"none","keychain_state":"disabled"},` +
			`"sync":{"last":0,"age_seconds":-1,"online":false},"conditions":[{"code":"broker_away","severity":"warning","message":"m","hint":""}]}`,
	}
	c := daemon(t, func(w http.ResponseWriter, r *http.Request) {
		reply(200, "application/json", answers[r.URL.Path])(w, r)
	})
	w, err := wallet.Parse(someWallet)
	if err != nil {
		t.Fatal(err)
	}
	list, err := c.Credentials(t.Context())
	equal(t, err, []protocol.CredentialInfo{{Service: "openrouter", Revision: 2, AgeSeconds: -1}}, list)
	text := "sk-1"
	value, err := c.Credential(t.Context(), "openrouter")
	equal(t, err, protocol.LocalValue{CredentialInfo: protocol.CredentialInfo{Service: "openrouter", Revision: 2, AgeSeconds: 3}, Credential: &text}, value)
	value, err = c.Credential(t.Context(), "binary")
	equal(t, err, protocol.LocalValue{CredentialInfo: protocol.CredentialInfo{Service: "binary", Revision: 1, AgeSeconds: 3}, CredentialBase64: []byte{255, 0}}, value)
	status, err := c.Status(t.Context())
	if err != nil || status.Wallet != w || status.Session != nil || len(status.Conditions) != 1 || status.Storage.Backend != "none" {
		t.Errorf("%+v, %v", status, err)
	}
}

func equal[T any](t *testing.T, err error, want, got T) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestOnlyADaemonsAnswerIsOne(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		handler http.HandlerFunc
		code    string // empty: unreachable
	}{
		"denied":                  {reply(403, protocol.ProblemType, `{"status":403,"code":"denied"}`), "denied"},
		"waiting":                 {reply(503, protocol.ProblemType, `{"status":503,"code":"unavailable","detail":"the keychain is locked"}`), "unavailable"},
		"another program's 403":   {reply(403, "text/plain", "no"), ""},
		"a problem without code":  {reply(403, protocol.ProblemType, `{"status":403}`), ""},
		"garbage":                 {reply(200, "application/json", `{"credentials":`), ""},
		"another program's JSON":  {reply(200, "application/json", `{}`), ""},
		"a redirect":              {reply(302, "", ""), ""},
		"more than a credential":  {reply(200, "application/json", strings.Repeat(" ", 2<<20)), ""},
		"an empty answer of type": {reply(204, "", ""), ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := daemon(t, tt.handler).Credentials(t.Context())
			var p *protocol.Problem
			if tt.code == "" {
				if !errors.Is(err, protocol.ErrUnreachable) || errors.As(err, &p) {
					t.Error(err)
				}
				return
			}
			if !errors.As(err, &p) || p.Code != tt.code || errors.Is(err, protocol.ErrUnreachable) {
				t.Error(err)
			}
		})
	}
}

func TestReady(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]struct{ ready, away bool }{
		200: {ready: true}, 503: {}, 404: {away: true}, 302: {away: true},
	} {
		ready, err := daemon(t, reply(status, "text/plain", "x\n")).Ready(t.Context())
		if ready != want.ready || errors.Is(err, protocol.ErrUnreachable) != want.away {
			t.Errorf("HTTP %d: %v, %v", status, ready, err)
		}
	}
}

func TestNoDaemonListens(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "none.sock")
	_, err := localclient.New(path).Status(t.Context())
	var away *localclient.UnreachableError
	if !errors.Is(err, protocol.ErrUnreachable) || !errors.As(err, &away) || away.Path != path || !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	if err != nil && strings.Contains(err.Error(), "broker") {
		t.Errorf("speaks of a broker: %v", err)
	}
}

func TestAServicesNameIsOnePathElement(t *testing.T) {
	t.Parallel()
	var path string
	c := daemon(t, func(w http.ResponseWriter, r *http.Request) {
		path = r.URL.EscapedPath()
		reply(404, protocol.ProblemType, `{"status":404,"code":"not_found"}`)(w, r)
	})
	if _, err := c.Credential(t.Context(), "../session?x"); err == nil || path != "/v1/credentials/..%2Fsession%3Fx" {
		t.Errorf("asked for %q, %v", path, err)
	}
}
