package e2e_test

import (
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// strangers are servers that know nothing of an account, and what doctor says of each.
func strangers(t *testing.T) map[string]string {
	t.Helper()
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{}`)) // a client that went
	}))
	t.Cleanup(web.Close)
	other := startBroker(t)
	newOwner(t, other)
	return map[string]string{web.URL: "the answer is not a broker's", other.url: "does not know this session"}
}

// alone holds that one line tells of the broker, that it is not called ok, and that it
// says the command that mends it.
func (d diagnosis) alone(says, hint string) {
	d.t.Helper()
	if f := d.has("broker", "warn", says); f.Hint != hint {
		d.t.Errorf("%s: hint %q, want %q", f.Message, f.Hint, hint)
	}
	for _, c := range d.Checks {
		if strings.Contains(c.Name, "away") || c.Name == "daemon" && c.Status != "ok" && !strings.Contains(c.Message, "not running") {
			d.t.Errorf("another line of the same: %+v", c)
		}
	}
}

func TestDoctorOfAnAgentAtAStranger(t *testing.T) {
	t.Parallel()
	_, _, pi, w := examined(t)
	show := "agentkeys-daemon run --print-config --wallet " + w
	for url, says := range strangers(t) {
		file := pi.names(url)
		before := tree(t, pi.slot(w))["session.json"]
		pi.doctor("agentkeys-daemon")[0].alone(url+" (from "+file+")", show)
		pi.doctor("agentkeys-daemon")[0].alone(says, show)
		d := pi.daemon(w)
		d.reaches("offline")
		pi.doctor("agentkeys-daemon")[0].alone(says, show)
		d.stop()
		if tree(t, pi.slot(w))["session.json"] != before {
			t.Error("the slot is another one")
		}
		pi.names("")
		d = pi.with("AGENTKEYS_BROKER", url).daemon(w) // which only its own environment names
		d.reaches("offline")
		pi.doctor("agentkeys-daemon")[0].alone(url+" (from AGENTKEYS_BROKER)", show)
		d.stop()
	}
}

// For settings that a daemon has not read yet, doctor also reports the broker that it uses.
func TestDoctorOfABrokerThatTheDaemonHasNotTakenUp(t *testing.T) {
	t.Parallel()
	b, _, pi, w := examined(t)
	d := pi.daemon(w)
	d.reaches("online")
	file := pi.names("http://127.0.0.1:1")
	report := pi.doctor("agentkeys-daemon")[0]
	report.has("broker", "ok", b.url+" (from session) answers")
	if f := report.has("settings", "warn", file+" names the broker http://127.0.0.1:1"); !strings.HasPrefix(f.Hint, "kill -HUP ") {
		t.Errorf("%+v", f)
	}
	d.signal(syscall.SIGHUP)
	d.reaches("offline")
	pi.doctor("agentkeys-daemon")[0].has("broker", "warn", "refused")
}

func TestDoctorOfAnOwnerAtAStranger(t *testing.T) {
	t.Parallel()
	o := newOwner(t, startBroker(t))
	before := tree(t, filepath.Join(o.home, "master"))["session.json"]
	for url, says := range strangers(t) {
		o.with("AGENTKEYS_BROKER", "").doctor("agentkeys", "--broker", url)[0].alone(says, "agentkeys doctor   (without --broker)")
		o.with("AGENTKEYS_BROKER", url).doctor("agentkeys")[0].
			alone(says, "unset AGENTKEYS_BROKER   (then the broker counts that the session remembers)")
	}
	if tree(t, filepath.Join(o.home, "master"))["session.json"] != before {
		t.Error("the slot is another one")
	}
}

// Another way to write the URL is no other broker, and one without a scheme is told how it is
// written.
func TestABrokerHasOneURL(t *testing.T) {
	t.Parallel()
	b := startBroker(t)
	o := newOwner(t, b)
	for _, url := range []string{b.url + "/", strings.Replace(b.url, "http:", "HTTP:", 1)} {
		if r := o.must("init", "--broker", url); strings.Contains(r.stdout, "moved") || o.whoami().Broker != b.url {
			t.Errorf("%s: %s, at %s", url, r.stdout, o.whoami().Broker)
		}
	}
	pi := newMachine(t)
	hint := "hint: write it " + b.url + "\n"
	for _, args := range [][]string{{"agentkeys", "init"}, {"agentkeys", "agents"}, {"agentkeys-daemon", "pair"}} {
		r := o.with("AGENTKEYS_BROKER", "").run("", args[0], append(args[1:], "--broker", b.addr)...)
		if r.code != exitUsage || !strings.Contains(r.stderr, hint) {
			t.Errorf("%v: exit %d, %s", args, r.code, r.stderr)
		}
	}
	r := pi.pair(b.url+"/", "--alias", "bot")
	o.must("approve", r.code, "--scope", "none", "--yes")
	if got := text(t, payload(t, pi.slot(r.paired().Wallet))["broker"]); got != b.url {
		t.Errorf("the slot remembers %s", got)
	}
}
