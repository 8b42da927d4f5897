package access_test

import (
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/agentkeys/agentkeys/internal/access"
)

type names struct{}

func (names) UserID(n string) (uint32, bool) {
	id, ok := map[string]uint32{"hermes": 1001, "pi": 1000, "nobody": access.OverflowUID}[n]
	return id, ok
}

func (names) GroupID(n string) (uint32, bool) {
	id, ok := map[string]uint32{"agents": 2000}[n]
	return id, ok
}

func rules(t *testing.T, texts ...string) []access.Rule {
	t.Helper()
	var out []access.Rule
	for _, text := range texts {
		r, err := access.ParseRule(text)
		if err != nil {
			t.Fatal(err)
		}
		if r.String() != text {
			t.Fatalf("%q became %q", text, r)
		}
		out = append(out, r)
	}
	return out
}

func TestDecisions(t *testing.T) {
	t.Parallel()
	base := rules(t, "user=hermes", "group=agents", "unit=my-agent.service", "user=nobody", "user=ghost")
	own := map[string][]access.Rule{"openrouter": rules(t, "user=pi"), "closed": {}}
	p, unknown := access.NewPolicy(true, base, own, names{})
	if len(unknown) != 1 || unknown[0].Name != "ghost" {
		t.Fatalf("unknown: %v", unknown)
	}
	for name, c := range map[string]struct {
		peer    access.Peer
		service string
		want    bool
	}{
		"user rule":                {access.Peer{PID: 9, UID: 1001}, "brave", true},
		"other user":               {access.Peer{PID: 9, UID: 1002}, "brave", false},
		"group rule":               {access.Peer{PID: 9, UID: 1002, Groups: []uint32{5, 2000}}, "brave", true},
		"unit rule":                {access.Peer{PID: 9, UID: 1002, Unit: "my-agent.service"}, "brave", true},
		"unit of another name":     {access.Peer{PID: 9, UID: 1002, Unit: "my-agent.scope"}, "brave", false},
		"service rules replace":    {access.Peer{PID: 9, UID: 1001}, "openrouter", false},
		"service rule":             {access.Peer{PID: 9, UID: 1000}, "openrouter", true},
		"empty rules close":        {access.Peer{PID: 9, UID: 1001}, "closed", false},
		"root":                     {access.Peer{PID: 9, UID: 0}, "closed", true},
		"nobody even if named":     {access.Peer{PID: 9, UID: access.OverflowUID}, "brave", false},
		"unknown process":          {access.Peer{PID: 0, UID: 1001}, "brave", false},
		"root without a pid":       {access.Peer{PID: 0, UID: 0}, "brave", false},
		"unresolved name is uid 0": {access.Peer{PID: 9, UID: 4}, "brave", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := p.Allows(c.peer, c.service); got != c.want {
				t.Fatalf("got %v", got)
			}
		})
	}
	if !p.AllowsAny(access.Peer{PID: 9, UID: 1000}) || p.AllowsAny(access.Peer{PID: 9, UID: 7}) {
		t.Fatal("AllowsAny")
	}
}

func TestRootCanBeShutOut(t *testing.T) {
	t.Parallel()
	p, _ := access.NewPolicy(false, rules(t, "user=ghost"), nil, names{})
	if p.Allows(access.Peer{PID: 1, UID: 0}, "a") {
		t.Fatal("root was let in, or an unknown name became uid 0")
	}
}

func TestParseRuleRefuses(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"", "user", "user=", "uid=1", "user=a b", "unit=my-agent", "unit=.service/x", "group=../x", "user=a\n", "unit=a b.service", strings.Repeat("user=a", 99)} {
		if r, err := access.ParseRule(bad); !errors.Is(err, access.ErrRule) {
			t.Errorf("%q: %v, %v", bad, r, err)
		}
	}
}

func TestUnitOfCgroup(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"0::/system.slice/my-agent.service\n":                                           "my-agent.service",
		"0::/system.slice/my-agent.service/sub/other.service\n":                         "my-agent.service",
		"0::/user.slice/user-1000.slice/user@1000.service/app.slice/my-agent.service\n": "user@1000.service",
		"0::/user.slice/user-1000.slice/session-1.scope\n":                              "session-1.scope",
		"0::/system.slice/system-agentkeys.slice/agentkeys@a.service\n":                 "agentkeys@a.service",
		"12:cpu:/x.service\n1:name=systemd:/system.slice/a.service\n0::/b.service\n":    "a.service",
		"9:name=systemd:/\n0::/system.slice/a.service\n":                                "a.service",
		"0::/\n":                            "",
		"0::/../../my-agent.service\n":      "",
		"":                                  "",
		"garbage":                           "",
		"0::/system.slice/_weird.service\n": "weird.service",
	} {
		if got := access.UnitOfCgroup(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

func TestUserUnitsNeverLookLikeSystemUnits(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		tail := rapid.StringMatching(`(/[a-z0-9_.@-]{1,12}){0,4}`).Draw(t, "tail")
		if got := access.UnitOfCgroup("0::/user.slice/user-7.slice/user@7.service" + tail + "\n"); got != "user@7.service" && !strings.Contains(tail, "/..") {
			t.Fatalf("%q became %q", tail, got)
		}
	})
}

func FuzzParseRule(f *testing.F) {
	f.Add("user=hermes")
	f.Fuzz(func(t *testing.T, text string) {
		if r, err := access.ParseRule(text); err == nil && r.String() != text {
			t.Fatalf("%q became %q", text, r)
		}
	})
}
