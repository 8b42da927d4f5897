package brokerclient_test

import (
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"github.com/agentkeys/agentkeys/internal/brokerclient"
	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/session"
)

func TestAProblemIsWhole(t *testing.T) {
	t.Parallel()
	body := `{"type":"about:blank","title":"Unauthorized","status":200,"detail":"a\u001b[2Jb\nc\u202ed","code":"token_retired","challenge":"Y2g","deny_mac":"bWFj"}`
	var offset time.Duration
	now := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	c := client(t, brokerclient.Config{
		Now:         func() time.Time { return now },
		ObserveDate: func(d time.Duration) { offset = d },
		URL: serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Date", now.Add(-time.Hour).Format(http.TimeFormat))
			w.Header().Set("Retry-After", "17")
			reply(401, protocol.ProblemType, body)(w, r)
		})),
	})
	_, err := c.Session(t.Context(), session.NewToken())
	want := &protocol.Problem{
		Type: "about:blank", Title: "Unauthorized", Status: 401, Detail: "a?[2Jb c?d", Code: "token_retired",
		Challenge: "Y2g", DenyMAC: "bWFj", RetryAfter: 17,
	}
	if diff := cmp.Diff(error(want), err); diff != "" {
		t.Error(diff)
	}
	if offset != -time.Hour {
		t.Errorf("the broker's clock is %v off", offset)
	}
}

func TestADateOfSomebodyElseIsNotTheBrokers(t *testing.T) {
	t.Parallel()
	c := client(t, brokerclient.Config{
		URL:         serve(t, reply(200, "text/html", "a portal")),
		ObserveDate: func(d time.Duration) { t.Errorf("told %v", d) },
	})
	_, err := c.Info(t.Context())
	check(t, err, "")
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	now := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	for text, want := range map[string]int{
		"": 0, "0": 0, "5": 5, "-5": 0, "soon": 0, "1.5": 0, "99999999": 86400, "99999999999999999999": 0,
		now.Add(90 * time.Second).Format(http.TimeFormat):    90,
		now.Add(-90 * time.Second).Format(http.TimeFormat):   0,
		now.AddDate(9, 0, 0).Format(http.TimeFormat):         86400,
		now.Add(90 * time.Second).Format(time.RFC3339):       0,
		now.AddDate(-1900, 0, 0).UTC().Format(time.RFC850):   0,
		"Fri, 31 Dec 9999 23:59:59 GMT":                      86400,
		strings.Repeat("9", 1000):                            0,
		now.Add(30 * time.Second).UTC().Format(time.ANSIC):   30,
		"Thu, 01 Jan 1970 00:00:00 GMT":                      0,
		now.Add(1500 * time.Hour).Format(http.TimeFormat):    86400,
		now.Add(999 * time.Millisecond).Format(time.RFC1123): 0,
	} {
		p, err := brokerclient.ParseProblem(429, http.Header{"Retry-After": {text}}, []byte(`{"status":429,"code":"slow_down"}`), now)
		if err != nil || p.RetryAfter != want {
			t.Errorf("%q: %v, %v; want %d", text, p, err, want)
		}
	}
}

func FuzzProblem(f *testing.F) {
	f.Add(401, "17", []byte(`{"status":401,"code":"token_retired","challenge":"c","detail":"d"}`))
	f.Add(403, "", []byte(`{"status":403,"code":"pairing_denied","deny_mac":"bWFj"}`))
	f.Add(500, "x", []byte(`{"code":"","status":0}`))
	f.Add(429, "1", []byte(`{"status":1e3,"code":"slow_down","Code":"denied"}`))
	f.Fuzz(func(t *testing.T, status int, after string, body []byte) {
		p, err := brokerclient.ParseProblem(status, http.Header{"Retry-After": {after}}, body, time.Unix(1800000000, 0))
		if err != nil {
			if p != nil {
				t.Fatal("both a problem and an error")
			}
			return
		}
		if p.Code == "" || strings.ContainsFunc(p.Code, func(r rune) bool { return r != '_' && !unicode.IsLower(r) && !unicode.IsDigit(r) }) {
			t.Fatalf("code %q", p.Code)
		}
		if p.Status != status || p.RetryAfter < 0 || p.RetryAfter > 86400 || len(p.Challenge) > 256 || len(p.DenyMAC) > 256 {
			t.Fatalf("%+v", p)
		}
		if strings.ContainsFunc(p.Title+p.Detail+p.Challenge+p.DenyMAC, unicode.IsControl) || len([]rune(p.Detail)) > 512 {
			t.Fatalf("%q", p)
		}
	})
}
