package e2e_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"
)

func page(status int, body string) func(*exchange) {
	return func(e *exchange) {
		e.status, e.header, e.body = status, http.Header{"Content-Type": {"text/html"}}, []byte(body)
	}
}

func problem(status int, code string, more ...string) func(*exchange) {
	return func(e *exchange) { e.problem(status, code, more...) }
}

// Whatever is said to a daemon, only a person removes a slot.
func TestNoAnswerOfABrokerRemovesASlot(t *testing.T) {
	t.Parallel()
	l, _, pi, w := lied(t)
	first := pi.daemon(w)
	first.serves("openrouter", keyOpenRouter)
	first.stop()
	token := text(t, payload(t, pi.slot(w))["token"])
	challenge := []string{"challenge", "AAAAAAAAAAAAAAAAAAAAAA"}
	answers := []struct {
		name string
		lie  func(*exchange)
	}{
		{"401 token_unknown", problem(http.StatusUnauthorized, "token_unknown", challenge...)},
		{"401 token_retired", problem(http.StatusUnauthorized, "token_retired", challenge...)},
		{"401 session_expired", problem(http.StatusUnauthorized, "session_expired", challenge...)},
		{"401 of no known code", problem(http.StatusUnauthorized, "go_away")},
		{"401 without a code", page(http.StatusUnauthorized, "<html>sign in</html>")},
		{"403 denied", problem(http.StatusForbidden, "denied")},
		{"403 approval_needed", problem(http.StatusForbidden, "approval_needed")},
		{"404", problem(http.StatusNotFound, "not_found")},
		{"409 clone_suspected", problem(http.StatusConflict, "clone_suspected")},
		{"410", problem(http.StatusGone, "pairing_expired")},
		{"500", page(http.StatusInternalServerError, "")},
		{"503 restored", problem(http.StatusServiceUnavailable, "restored")},
		{"200 with a page", page(http.StatusOK, "<html>welcome to the hotel</html>")},
		{"200 with garbage", page(http.StatusOK, "\x00\xff{{{")},
		{"200 with an empty object", page(http.StatusOK, "{}")},
		{"204", page(http.StatusNoContent, "")},
		{"401 session_revoked", problem(http.StatusUnauthorized, "session_revoked")}, // the last: it holds
	}
	for _, a := range answers {
		l.tell(a.lie)
		before := len(l.requests())
		d := pi.launch(w)
		d.answers()
		eventually(t, patience, a.name+": two requests", func() (string, bool) {
			n := len(l.requests()) - before
			return fmt.Sprint(n, "\n", d.err), n >= 2 || n >= 1 && (a.name == "401 session_revoked" || a.name == "409 clone_suspected")
		})
		if a.name == "401 session_revoked" {
			d.reaches("revoked")
		}
		if !d.running() {
			t.Errorf("%s: the daemon ended: %s", a.name, d.err)
		}
		d.stop()
		p := payload(t, pi.slot(w))
		if text(t, p["wallet"]) != w || text(t, p["token"]) == "" || string(headFile(t, pi.slot(w))["tombstone"]) != "false" {
			t.Fatalf("%s: the slot is gone", a.name)
		}
		if a.name != "401 session_revoked" && a.name[:3] != "401" && text(t, p["token"]) != token {
			t.Errorf("%s: the token changed", a.name)
		}
		left, err := filepath.Glob(filepath.Join(pi.slot(w), "session.json*"))
		if err != nil || len(left) != 1 {
			t.Errorf("%s: files %v, %v", a.name, left, err)
		}
		if a.name == "401 session_revoked" {
			break
		}
		l.tell(nil)
		d = pi.daemon(w)
		d.reaches("online")
		d.serves("openrouter", keyOpenRouter)
		token = text(t, payload(t, pi.slot(w))["token"])
		d.stop()
	}
}

// Nor does a broker that lost its database, or another broker at the same address.
func TestAnotherDatabaseBehindTheSameAddressRemovesNoSlot(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	d := s.pi.daemon(s.a)
	d.serves("openrouter", keyOpenRouter)
	s.b.kill()
	aside := s.b.data + "-aside"
	if err := os.Rename(s.b.data, aside); err != nil {
		t.Fatal(err)
	}
	s.b.start()
	eventually(t, patience, "the daemon meets the other broker", func() (string, bool) {
		st := d.status()
		return fmt.Sprintf("%+v\n%s", st, d.err), !st.Sync.Online
	})
	if got, code := d.value("openrouter"); got != keyOpenRouter {
		t.Errorf("no longer served from the cache: %d", code)
	}
	s.b.kill()
	if err := os.Rename(s.b.data, aside+"2"); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(aside, s.b.data); err != nil {
		t.Fatal(err)
	}
	s.b.start()
	d.stop()
	d = s.pi.daemon(s.a)
	d.reaches("online")
	d.serves("openrouter", keyOpenRouter)
}

// With the broker away a daemon serves from its cache, after a cold start too.
func TestTheCacheServesWhileTheBrokerIsAway(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	d := s.pi.daemon(s.a)
	d.serves("openrouter", keyOpenRouter)
	s.pi.cached(s.a, "openrouter")
	s.b.kill()
	d.kill()
	d = s.pi.daemon(s.a)
	d.serves("openrouter", keyOpenRouter)
	d.reaches("offline")
	if st := d.status(); st.Sync.Online {
		t.Errorf("online without a broker: %+v", st)
	}
	s.b.start()
	d.stop()
	s.pi.daemon(s.a).reaches("online")
}
