package e2e_test

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// connected bounds how long a connected daemon may take to learn of a change. It is well below
// the 50 s of a poll that ends without a change.
const connected = 20 * time.Second

func TestScopeNoneGivesNothingAndAllEverything(t *testing.T) {
	t.Parallel()
	b := startBroker(t)
	o, pi := newOwner(t, b), newMachine(t)
	w := o.adopt(pi, "bot", "none")
	o.put("bot", "openrouter", keyOpenRouter)
	o.put("bot", "brave-search", keyBrave)
	d := pi.daemon(w)
	d.reaches("online")
	d.denies("openrouter")
	d.denies("brave-search")
	o.must("scope", "--agent", "bot", "--set", "all")
	d.serves("openrouter", keyOpenRouter)
	d.serves("brave-search", keyBrave)
	o.must("scope", "--agent", "bot", "--set", "none")
	d.denies("openrouter")
	d.denies("brave-search")
}

func TestScopeChangeAndRevocationReachAConnectedDaemon(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	a := s.pi.daemon(s.a)
	a.serves("openrouter", keyOpenRouter)
	a.serves("anthropic", keyAnthropic)
	fastest := patience
	within := func(what string, took time.Duration) {
		t.Helper()
		fastest = min(fastest, took)
		if took >= connected {
			t.Errorf("%s took %s", what, took)
		}
	}
	s.o.must("scope", "--agent", "bot-a", "--remove", "anthropic")
	within("a narrower scope", a.denies("anthropic"))
	if got, code := a.value("openrouter"); code != http.StatusOK || got != keyOpenRouter {
		t.Errorf("the rest: %d", code)
	}
	s.o.must("scope", "--agent", "bot-a", "--add", "anthropic")
	within("a wider scope", a.serves("anthropic", keyAnthropic))
	s.o.put("bot-a", "openrouter", "another key")
	within("a new value", a.serves("openrouter", "another key"))
	s.o.must("remove", "anthropic", "--agent", "bot-a")
	within("a removed credential", eventually(t, patience, "anthropic is gone", func() (string, bool) {
		got, code := a.value("anthropic")
		return got, code == http.StatusNotFound
	}))
	s.o.must("revoke", "bot-a", "--yes")
	within("a revocation", a.denies("openrouter"))
	if fastest >= 2*time.Second { // what README says; a busy machine delays some, and not all
		t.Errorf("the fastest of five took %s", fastest)
	}
	a.reaches("revoked")
	r := s.pi.run("", "agentkeys", "read", "openrouter", "--wallet", s.a)
	if r.code != exitDenied {
		t.Errorf("read after revocation: exit %d, %s", r.code, r.stderr)
	}
	// It holds over a restart, without the broker too.
	a.stop()
	s.b.kill()
	a = s.pi.daemon(s.a)
	a.denies("openrouter")
	a.reaches("revoked")
	for name, content := range tree(t, s.pi.slot(s.a)) {
		if strings.Contains(content, "age-encryption.org") {
			t.Errorf("%s still holds records", name)
		}
	}
}

func TestAWalletInEveryFormIsTheSameAgent(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	digits := s.a[2:]
	forms := map[string]string{"lower case": s.a, "upper case": "0x" + strings.ToUpper(digits), "EIP-55": display(t, s.a)}
	d := s.pi.daemon(s.a)
	d.serves("openrouter", keyOpenRouter)
	for name, form := range forms {
		r := s.o.must("read", "openrouter", "--agent", form)
		if r.stdout != keyOpenRouter {
			t.Errorf("%s: the owner reads %q", name, r.stdout)
		}
		if r = s.pi.run("", "agentkeys", "read", "openrouter", "--wallet", form); r.code != exitOK || r.stdout != keyOpenRouter {
			t.Errorf("%s: beside the daemon: exit %d, %s", name, r.code, r.stderr)
		}
		if r = s.pi.run("", "agentkeys-daemon", "status", "--wallet", form, "--json"); r.code != exitOK || !strings.Contains(r.stdout, s.a) {
			t.Errorf("%s: status: exit %d, %s%s", name, r.code, r.stdout, r.stderr)
		}
	}
	before := len(tree(t, s.pi.home))
	wrong := miscased(t, s.a)
	for _, r := range []result{
		s.o.do("read", "openrouter", "--agent", wrong), s.pi.run("", "agentkeys", "read", "openrouter", "--wallet", wrong),
		s.pi.run("", "agentkeys-daemon", "status", "--wallet", wrong), s.pi.run("", "agentkeys-daemon", "run", "--wallet", wrong),
	} {
		if r.code != exitUsage || !strings.Contains(r.stderr, "checksum") || r.stdout != "" {
			t.Errorf("a wrong checksum: exit %d, %s%s", r.code, r.stdout, r.stderr)
		}
	}
	if now := len(tree(t, s.pi.home)); now != before {
		t.Errorf("%d files, before %d", now, before)
	}
}

func TestBadSessionIDsCreateNothing(t *testing.T) {
	t.Parallel()
	b := startBroker(t)
	m := newMachine(t).with("AGENTKEYS_BROKER", b.url)
	for name, id := range map[string]string{
		"dots": "..", "dots inside": "a..b", "slash": "a/b", "up": "../../x", "200 characters": strings.Repeat("a", 200), "empty": "",
		"capitals": "Master", "reserved": "session", "broken daemon": "daemon-0x12", "broken pending": "pending-1", "blank": "a b", "line": "a\nb",
	} {
		for _, command := range []string{"whoami", "init", "list"} {
			r := m.run("", "agentkeys", command, "--session-id", id)
			if r.code != exitUsage || !strings.HasPrefix(r.stderr, "agentkeys: error: ") {
				t.Errorf("%s, %s: exit %d, %s", name, command, r.code, r.stderr)
			}
		}
	}
	if r := m.with("AGENTKEYS_SESSION_ID", "../x").run("", "agentkeys", "whoami"); r.code != exitUsage {
		t.Errorf("from the environment: exit %d, %s", r.code, r.stderr)
	}
	for name := range tree(t, m.dir) {
		if name != "." && name != "home" && name != "conf" {
			t.Errorf("%s was created", name)
		}
	}
}
