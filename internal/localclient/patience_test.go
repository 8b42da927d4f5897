package localclient_test

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/agentkeys/agentkeys/internal/localclient"
	"github.com/agentkeys/agentkeys/internal/protocol"
)

var errNobody = errors.New("nobody listens")

// How long a call takes where nothing listens, by a clock of its own.
func TestOnlyADaemonThatComesBackIsWaitedFor(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		coming   func(after time.Duration) bool
		min, max time.Duration
	}{
		"none was ever here":            {func(time.Duration) bool { return false }, 0, 0},
		"it has its place and is gone":  {func(time.Duration) bool { return true }, 4 * time.Second, localclient.Patience},
		"it was stopped, and its place": {func(after time.Duration) bool { return after < time.Second }, time.Second, 2 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				client := localclient.NewPatient(func() (string, bool, error) {
					return "", c.coming(time.Since(began)), errNobody
				})
				_, err := client.Credentials(t.Context())
				if took := time.Since(began); !errors.Is(err, errNobody) || took < c.min || took > c.max {
					t.Errorf("%v after %v, want from %v to %v", err, took, c.min, c.max)
				}
			})
		})
	}
}

func TestWaitingEndsWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		client := localclient.NewPatient(func() (string, bool, error) { return "", true, errNobody })
		if _, err := client.Credentials(ctx); !errors.Is(err, errNobody) || time.Since(began) != time.Second {
			t.Errorf("%v after %v", err, time.Since(began))
		}
	})
}

// A daemon that ends before its answer is asked again; its refusal is an answer.
func TestAnAnswerThatIsCutOffIsAskedForAgain(t *testing.T) {
	t.Parallel()
	const good = `{"service":"openrouter","revision":2,"age_seconds":3,"credential":"sk-1"}`
	for name, c := range map[string]struct {
		cut     func(w http.ResponseWriter)
		patient bool
		asked   int32
		fails   bool
	}{
		"before the answer":     {func(http.ResponseWriter) { panic(http.ErrAbortHandler) }, true, 3, false},
		"in the middle of it":   {func(w http.ResponseWriter) { cutBody(w) }, true, 3, false},
		"a client without time": {func(http.ResponseWriter) { panic(http.ErrAbortHandler) }, false, 1, true},
		"a refusal": {func(w http.ResponseWriter) {
			reply(503, protocol.ProblemType, `{"code":"unavailable","status":503}`)(w, nil)
		}, true, 1, true},
		"another program's answer": {func(w http.ResponseWriter) { reply(200, "text/html", "<html>")(w, nil) }, true, 1, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var asked atomic.Int32
			path := listen(t, func(w http.ResponseWriter, r *http.Request) {
				if asked.Add(1) < 3 {
					c.cut(w)
					return
				}
				reply(200, "application/json", good)(w, r)
			})
			client := localclient.New(path)
			if c.patient {
				client = localclient.NewPatient(func() (string, bool, error) { return path, false, nil })
			}
			v, err := client.Credential(t.Context(), "openrouter")
			if (err != nil) != c.fails || asked.Load() != c.asked || err == nil && *v.Credential != "sk-1" {
				t.Errorf("%v, asked %d times", err, asked.Load())
			}
		})
	}
}

// cutBody promises more than it sends.
func cutBody(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", "100")
	_, _ = w.Write([]byte(`{"service"`))
	panic(http.ErrAbortHandler)
}
