package session_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/agentkeys/agentkeys/internal/session"
)

func TestBrokerURL(t *testing.T) {
	t.Parallel()
	const pinned = "https://mini.local:8420#spki-sha256-a"
	for name, test := range map[string]struct{ named, remembered, want string }{
		"nobody named one":                 {"", pinned, pinned},
		"the session remembers none":       {"https://a", "", "https://a"},
		"neither":                          {"", "", ""},
		"another one wins":                 {"https://a", pinned, "https://a"},
		"the same without its pin":         {"https://mini.local:8420", pinned, pinned},
		"the same with a slash at the end": {"https://mini.local:8420/", pinned, pinned},
		"another pin wins":                 {"https://mini.local:8420#spki-sha256-b", pinned, "https://mini.local:8420#spki-sha256-b"},
		"another port is another broker":   {"https://mini.local:8421", pinned, "https://mini.local:8421"},
	} {
		if got := session.BrokerURL(test.named, test.remembered); got != test.want {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func TestAnEndCountsAtTheBrokerThatToldIt(t *testing.T) {
	t.Parallel()
	s := session.Session{Broker: "https://a"}
	for name, test := range map[string]struct {
		toldBy, named string
		ended         bool
	}{
		"told by the remembered one":        {"https://a", "", true},
		"and then another one is named":     {"https://a", "https://b", true},
		"told by a named one":               {"https://b", "https://b", true},
		"and then none is named any more":   {"https://b", "", false},
		"and then the remembered is named":  {"https://b", "https://a", false},
		"and then a third one is named":     {"https://b", "https://c", false},
		"the remembered one, named as such": {"https://a", "https://a", true},
	} {
		s.Ended = s.EndedAt(test.toldBy, "session_revoked", 7)
		if at, _ := s.At(test.named); (at.Ended != nil) != test.ended {
			t.Errorf("%s: %+v", name, at.Ended)
		}
	}
	want := &session.Ended{Code: "session_revoked", At: 7}
	if diff := cmp.Diff(want, s.EndedAt("https://a", "session_revoked", 7)); diff != "" {
		t.Errorf("what earlier versions read too: %s", diff)
	}
}
