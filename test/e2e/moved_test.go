package e2e_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/agentkeys/agentkeys/internal/protocol"
)

// copyTo makes another broker of the present state of b, at an address of its own, and
// stops b for good.
func (b *broker) copyTo(t testing.TB) *broker {
	t.Helper()
	file := filepath.Join(b.m.dir, "moved.backup")
	succeed(t, b.operator("backup", file, "--data", b.data), []string{"backup"})
	b.stop()
	data := filepath.Join(newMachine(t).dir, "broker")
	succeed(t, b.operator("restore", file, "--data", data), []string{"restore"})
	moved := startBroker(t, b.args...)
	moved.stop()
	moved.data = data
	moved.start()
	return moved
}

// names puts the broker into the settings of all daemons of m, and says where; an empty
// URL takes it out.
func (m *machine) names(url string) (file string) {
	m.t.Helper()
	file = filepath.Join(m.env["AGENTKEYS_CONFIG_DIR"], "daemon.toml")
	text := ""
	if url != "" {
		text = "broker = \"" + url + "\"\n"
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		m.t.Fatal(err)
	}
	return file
}

// at waits until the daemon is online at that broker.
func (d *daemon) at(url, from string) {
	d.t.Helper()
	want := protocol.StatusBroker{URL: url, From: from}
	eventually(d.t, patience, "online at "+url, func() (string, bool) {
		s := d.status()
		return d.err.String(), s.State == "online" && s.Broker == want
	})
}

// The broker has a new URL: the owner's init and a line in the boards' settings are all;
// nothing is paired anew.
func TestABrokerMovesToAnotherURL(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	a, z := s.pi.daemon(s.a), s.pi.daemon(s.z)
	a.serves("openrouter", keyOpenRouter)
	z.serves("brave-search", keyBrave)
	o := &owner{machine: s.o.with("AGENTKEYS_BROKER", "")}
	stranger, before := startBroker(t), tree(t, filepath.Join(o.home, "master"))["session.json"]
	old := s.b.url
	for url, want := range map[string]struct {
		exit int
		code string
	}{
		stranger.url:               {exitFault, "account_unknown"},
		"http://127.0.0.1:1":       {exitUnreachable, "broker_away"},
		"http://192.0.2.1:8420":    {exitUsage, "usage"},
		stranger.url + "#spki-xxx": {exitUsage, "usage"},
	} {
		r := o.do("init", "--broker", url, "--json")
		if r.code != want.exit || errorCode(t, r) != want.code {
			t.Errorf("init at %s: exit %d, %s", url, r.code, r.stderr)
		}
		if tree(t, filepath.Join(o.home, "master"))["session.json"] != before {
			t.Fatalf("init at %s changed the slot", url)
		}
	}
	b := s.b.copyTo(t)
	a.reaches("offline")
	a.serves("openrouter", keyOpenRouter)

	r := o.must("init", "--broker", b.url)
	if !strings.Contains(r.stdout, "moved there from "+old) || !strings.Contains(r.stderr, "put back from a copy") {
		t.Errorf("init says: %s%s", r.stdout, r.stderr)
	}
	file := s.pi.names(b.url)
	a.signal(syscall.SIGHUP)
	z.stop()
	z = s.pi.daemon(s.z)
	a.at(b.url, file)
	z.at(b.url, file)
	o.put("bot-a", "openrouter", "new of a")
	o.put("bot-z", "brave-search", "new of z")
	a.serves("openrouter", "new of a")
	z.serves("brave-search", "new of z")
	var agents []map[string]any
	if o.decode(&agents, "agents", "--json"); len(agents) != 2 || o.whoami().Broker != b.url {
		t.Errorf("%v at %+v", agents, o.whoami())
	}
	for _, wallet := range []string{s.a, s.z} {
		if got := text(t, payload(t, s.pi.slot(wallet))["broker"]); got != old {
			t.Errorf("the slot of %s remembers %s", wallet, got)
		}
	}
	told := s.pi.run("", "agentkeys-daemon", "status", "--wallet", s.a)
	if !strings.Contains(told.stdout, "broker   "+b.url+" (from "+file+")") {
		t.Errorf("status: %s", told.stdout)
	}
	read := s.pi.run("", "agentkeys", "--session-id", "daemon-"+s.a, "read", "openrouter")
	if read.code != exitOK || read.stdout != "new of a" {
		t.Errorf("as the agent: exit %d, %s", read.code, read.stderr)
	}
	if got := s.pi.run("", "agentkeys-daemon", "doctor", "--verbose", "--wallet", s.a); !strings.Contains(got.stdout, b.url+" (from "+file+") answers") {
		t.Errorf("doctor: %s", got.stdout)
	}
}

// A broker that is not the agent's takes nothing from the board, whatever it says.
func TestABoardThatIsPointedAtTheWrongBrokerComesBack(t *testing.T) {
	t.Parallel()
	liar := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", protocol.ProblemType)
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = w.Write([]byte(`{"type":"about:blank","title":"","status":401,"code":"session_revoked"}`)) // a client that went
	}))
	t.Cleanup(liar.Close)
	stranger := startBroker(t)
	newOwner(t, stranger)
	s := newScene(t)
	d := s.pi.daemon(s.a)
	d.serves("openrouter", keyOpenRouter)
	before := payload(t, s.pi.slot(s.a))

	s.pi.names(stranger.url)
	d.signal(syscall.SIGHUP)
	d.reaches("offline")
	d.serves("openrouter", keyOpenRouter)
	s.pi.names(liar.URL)
	d.signal(syscall.SIGHUP)
	d.reaches("revoked")
	d.denies("openrouter")
	for _, wrong := range []string{"http://192.0.2.1:8420", "https://mini.local#spki-sha256-x"} {
		file := s.pi.names(wrong)
		d.signal(syscall.SIGHUP)
		d.condition("settings_refused")
		r := s.pi.run("", "agentkeys-daemon", "run", "--wallet", s.a)
		if r.code != exitUsage || !strings.Contains(r.stderr, file+": broker: ") || strings.Contains(r.stderr, wrong) {
			t.Errorf("%s: exit %d, %s", wrong, r.code, r.stderr)
		}
	}
	s.pi.names("")
	d.signal(syscall.SIGHUP)
	d.at(s.b.url, protocol.BrokerOfSession)
	d.serves("openrouter", keyOpenRouter)
	after := payload(t, s.pi.slot(s.a))
	for _, key := range []string{"device_key", "device_sign_key", "broker"} {
		if text(t, before[key]) != text(t, after[key]) {
			t.Errorf("%s is another one", key)
		}
	}
	s.o.put("bot-a", "openrouter", "later")
	d.serves("openrouter", "later")
}

// A recovery at the new URL while the daemon runs and its old broker does not answer any more:
// the daemon takes up token, keys and broker at once.
func TestARecoveryAtAnotherURLIsTakenUpByTheRunningDaemon(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	d := s.pi.daemon(s.a)
	d.serves("openrouter", keyOpenRouter)
	b := s.b.copyTo(t)
	d.reaches("offline")
	o := &owner{machine: s.o.with("AGENTKEYS_BROKER", "")}
	o.must("init", "--broker", b.url)
	r := s.pi.recover(b.url, "bot-a")
	o.must("approve", r.code, "--agent", "bot-a", "--yes")
	r.paired()
	d.at(b.url, protocol.BrokerOfSession)
	o.put("bot-a", "openrouter", "later")
	d.serves("openrouter", "later")
}

// The settings files override the broker of a pairing, so a pairing at another broker says so.
func TestAPairingSaysThatTheSettingsNameAnotherBroker(t *testing.T) {
	t.Parallel()
	b := startBroker(t)
	o, pi := newOwner(t, b), newMachine(t)
	file := pi.names("https://mini.local:8420")
	r := pi.pair(b.url, "--alias", "bot")
	o.must("approve", r.code, "--scope", "none", "--yes")
	if _, end := r.last(); end.code != exitOK || !strings.Contains(end.stderr, file+" names another broker") {
		t.Errorf("exit %d, %s", end.code, end.stderr)
	}
	pi.names(b.url)
	r = pi.pair(b.url, "--alias", "other")
	o.must("approve", r.code, "--scope", "none", "--yes")
	if _, end := r.last(); end.code != exitOK || end.stderr != "" {
		t.Errorf("exit %d, %s", end.code, end.stderr)
	}
}
