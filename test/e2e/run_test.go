package e2e_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestRunStartsAProgramWithItsKeys(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.pi.daemon(s.a).serves("anthropic", keyAnthropic)
	beside := func(args ...string) result {
		return s.pi.run("", "agentkeys", append([]string{"run", "--wallet", s.a}, args...)...)
	}
	direct := func(args ...string) result {
		return s.o.do(append([]string{"run", "--agent", "bot-a"}, args...)...)
	}
	for name, run := range map[string]func(...string) result{"beside a daemon": beside, "by the owner": direct} {
		if r := run("--", "sh", "-c", "exit 7"); r.code != 7 {
			t.Errorf("%s: exit %d, want 7; %s", name, r.code, r.stderr)
		}
		r := run("--", "sh", "-c", `printf '%s %s %s' "$OPENROUTER_API_KEY" "$ANTHROPIC_API_KEY" "${BRAVE_SEARCH_API_KEY-unset}"`)
		if r.code != 0 || r.stdout != keyOpenRouter+" "+keyAnthropic+" unset" {
			t.Errorf("%s: exit %d, %q, %s", name, r.code, r.stdout, r.stderr)
		}
		r = run("--env", "MY_KEY=openrouter", "--", "sh", "-c", `printf '%s %s' "$MY_KEY" "${ANTHROPIC_API_KEY-unset}"`)
		if r.code != 0 || r.stdout != keyOpenRouter+" unset" {
			t.Errorf("%s with --env: exit %d, %q, %s", name, r.code, r.stdout, r.stderr)
		}
		started := filepath.Join(s.pi.dir, "started")
		r = run("--env", "X=brave-search", "--", "touch", started)
		if _, err := os.Stat(started); err == nil || r.code == exitOK {
			t.Errorf("%s: a failed read started the program: exit %d", name, r.code)
		}
		if r = run("--", "/no/such/program"); r.code == exitOK || !strings.Contains(r.stderr, "agentkeys: error: ") {
			t.Errorf("%s, no program: exit %d, %s", name, r.code, r.stderr)
		}
		if r = run("--", "sh", "-c", "kill -KILL $$"); r.signal != syscall.SIGKILL {
			t.Errorf("%s, killed child: exit %d, signal %d", name, r.code, r.signal)
		}
	}
}

func TestRunPassesSignalsOn(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.pi.daemon(s.a).serves("openrouter", keyOpenRouter)
	for signal, code := range map[syscall.Signal]int{syscall.SIGTERM: 9, syscall.SIGHUP: 8, syscall.SIGUSR1: 10} {
		script := `trap 'exit 9' TERM; trap 'exit 8' HUP; trap 'exit 10' USR1; echo up; while :; do sleep 0.02; done`
		p := s.pi.start("", "agentkeys", "run", "--wallet", s.a, "--", "sh", "-c", script)
		p.expect("up")
		p.signal(signal)
		if r := p.wait(); r.code != code {
			t.Errorf("%s: exit %d, want %d; %s", signal, r.code, code, r.stderr)
		}
	}
}

// A bad --env is a usage error though neither a daemon nor a broker could be asked.
func TestABadEnvFailsBeforeAnyRequest(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	l := newLiar(t, s.b)
	before := len(l.requests())
	for _, env := range []string{"1BAD=openrouter", "NOTHING", "=openrouter", "A=", "A=Not A Service", "A B=openrouter", "A=../x"} {
		for _, who := range [][]string{{"--wallet", s.a}, {"--agent", s.a}} {
			args := append(append([]string{"run"}, who...), "--env", env, "--", "true")
			if r := s.o.with("AGENTKEYS_BROKER", l.url).run("", "agentkeys", args...); r.code != exitUsage {
				t.Errorf("%q %v: exit %d, %s", env, who, r.code, r.stderr)
			}
		}
	}
	if now := l.requests(); len(now) != before {
		t.Errorf("requests were made: %v", now)
	}
}

func TestMistakesOfTheCommandLine(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	for name, c := range map[string]struct {
		code int
		args []string
	}{
		"--wallet with --agent":   {exitUsage, []string{"read", "openrouter", "--wallet", s.a, "--agent", "bot-a"}},
		"a bad service":           {exitUsage, []string{"read", "Open Router", "--agent", "bot-a"}},
		"a value as argument":     {exitUsage, []string{"store", "openrouter", "sk-value", "--agent", "bot-a"}},
		"unknown agent":           {exitFault, []string{"read", "openrouter", "--agent", "nobody"}},
		"unknown service":         {exitFault, []string{"read", "nothing", "--agent", "bot-a"}},
		"no daemon":               {exitUnreachable, []string{"read", "openrouter", "--wallet", s.a}},
		"unknown command":         {exitUsage, []string{"frobnicate"}},
		"run without a program":   {exitUsage, []string{"run", "--agent", "bot-a"}},
		"a bad scope":             {exitUsage, []string{"scope", "--agent", "bot-a", "--set", "A B"}},
		"broker is no URL":        {exitUsage, []string{"agents", "--broker", "ftp://x"}},
		"plain HTTP to elsewhere": {exitUsage, []string{"agents", "--broker", "http://192.0.2.1:8420"}},
		"no broker there":         {exitUnreachable, []string{"agents", "--broker", "http://127.0.0.1:1"}},
	} {
		r := s.o.do(c.args...)
		if r.code != c.code || !strings.HasPrefix(r.stderr, "agentkeys: error: ") || r.stdout != "" {
			t.Errorf("%s: exit %d, want %d; %s%s", name, r.code, c.code, r.stdout, r.stderr)
		}
	}
	if r := newMachine(t).with("AGENTKEYS_BROKER", s.b.url).run("", "agentkeys", "agents", "--json"); r.code != exitNoSession || errorCode(t, r) == "" {
		t.Errorf("no session: exit %d, %s", r.code, r.stderr)
	}
}

// Values keep their bytes on the way in and out, as issue 2 says.
func TestValuesComeAndGoAsTheyAre(t *testing.T) {
	t.Parallel()
	b := startBroker(t)
	o, pi := newOwner(t, b), newMachine(t)
	o.adopt(pi, "bot", "all")
	for name, c := range map[string]struct{ in, out string }{
		"one line end dropped": {"key\n", "key"}, "only one": {"key\n\n", "key\n"}, "none to drop": {"key", "key"},
		"blanks kept": {"  key ", "  key "}, "return kept": {"a\r\nb", "a\r\nb"}, "Unicode": {"schlüssel🔑", "schlüssel🔑"},
	} {
		o.put("bot", "openrouter", c.in)
		if r := o.must("read", "openrouter", "--agent", "bot"); r.stdout != c.out {
			t.Errorf("%s: %q became %q", name, c.in, r.stdout)
		}
	}
	file := filepath.Join(o.dir, "value")
	if err := os.WriteFile(file, []byte("key\n\x00\xff"), 0o600); err != nil {
		t.Fatal(err)
	}
	o.must("store", "openrouter", "--agent", "bot", "--from-file", file)
	if r := o.must("read", "openrouter", "--agent", "bot"); r.stdout != "key\n\x00\xff" {
		t.Errorf("from a file: %q", r.stdout)
	}
	if r := o.must("read", "openrouter", "--agent", "bot", "--json"); !strings.Contains(r.stdout, `"credential_base64":"a2V5CgD/"`) && !strings.Contains(r.stdout, `"credential_base64": "a2V5CgD/"`) {
		t.Errorf("as JSON: %s", r.stdout)
	}
	if r := o.do("run", "--agent", "bot", "--env", "K=openrouter", "--", "true"); r.code == exitOK || !strings.Contains(r.stderr, "NUL") {
		t.Errorf("run with a NUL that was asked for: exit %d, %s", r.code, r.stderr)
	}
	if r := o.do("run", "--agent", "bot", "--", "true"); r.code != exitOK || !strings.Contains(r.stderr, "warning: credential openrouter is left out") {
		t.Errorf("run with a NUL among all: exit %d, %s", r.code, r.stderr)
	}
}
