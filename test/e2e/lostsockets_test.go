package e2e_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// readable waits until a program of that machine reads the credential.
func readable(m *machine, d *daemon, service, want string) {
	m.t.Helper()
	eventually(m.t, patience, service+" is read", func() (string, bool) {
		r := m.run("", "agentkeys", "read", service, "--wallet", d.wallet)
		return r.stderr + d.err.String(), r.code == exitOK && strings.TrimSpace(r.stdout) == want
	})
}

func TestADaemonThatLostItsSocketsMakesThemAgain(t *testing.T) {
	t.Parallel()
	b := startBroker(t)
	o := newOwner(t, b)
	for name, c := range map[string]struct {
		lose func(run, dir string) error
		slot bool // the sockets are in the slot's directory then
	}{
		"all of ours is removed":                  {func(run, _ string) error { return os.RemoveAll(filepath.Join(run, "agentkeys")) }, false},
		"the runtime directory goes at a log-out": {func(run, _ string) error { return os.RemoveAll(run) }, true},
		"tmpfiles ages a socket":                  {func(_, dir string) error { return os.Remove(filepath.Join(dir, "agent.sock")) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMachine(t)
			run := filepath.Join(m.dir, "r")
			if err := os.Mkdir(run, 0o700); err != nil {
				t.Fatal(err)
			}
			w := o.adopt(m, "bot-"+strings.Fields(name)[0]+strings.Fields(name)[1], "openrouter")
			o.put(w, "openrouter", "key-1")
			m = m.with("XDG_RUNTIME_DIR", run)
			d := m.daemon(w)
			readable(m, d, "openrouter", "key-1")
			if err := c.lose(run, filepath.Dir(m.socket(w, "agent.sock"))); err != nil {
				t.Fatal(err)
			}
			readable(m, d, "openrouter", "key-1")
			where := m.socket(w, "agent.sock")
			if c.slot {
				where = filepath.Join(m.slot(w), "agent.sock")
			}
			if r := m.run("", "agentkeys-daemon", "doctor", "--verbose", "--wallet", w); !strings.Contains(r.stdout, where+" answers") ||
				c.slot != strings.Contains(r.stdout, "the runtime directory "+run+" is not there") {
				t.Errorf("doctor: %+v", r)
			}
			d.signal(syscall.SIGHUP)
			readable(m, d, "openrouter", "key-1")
			if r := d.stop(); r.code != exitOK {
				t.Errorf("%+v", r)
			}
		})
	}
}

// A session that ended left its XDG_RUNTIME_DIR in the environment of a tmux or a cron job; or
// no socket can be made in it.
func TestARuntimeDirectoryThatCannotBeUsedIsPassedOver(t *testing.T) {
	t.Parallel()
	_, _, m, w := stocked(t)
	at := func(name string) string { return filepath.Join(m.dir, name) }
	long, foreign := at(strings.Repeat("d", 90)), at("r")
	taken := filepath.Join(foreign, "agentkeys", w, "agent.sock")
	if err := errors.Join(os.WriteFile(at("file"), nil, 0o600), os.Mkdir(long, 0o700), os.MkdirAll(taken, 0o700)); err != nil {
		t.Fatal(err)
	}
	for run, why := range map[string]string{
		at("gone"): at("gone") + " is not there", at("file"): at("file") + " is not there",
		long: "and the system allows 10", foreign: taken + " is no socket", // 107 on Linux, 103 on macOS
	} {
		there := m.with("XDG_RUNTIME_DIR", run)
		for _, running := range []bool{false, true} {
			var d *daemon
			if running {
				d = there.launch(w)
				readable(there, d, "openrouter", "key-1")
			}
			if f := there.doctor("agentkeys-daemon")[0].has("socket", "ok", why); !strings.Contains(f.Message, m.slot(w)) {
				t.Errorf("running %v: %+v", running, f)
			}
			if running && d.stop().code != exitOK {
				t.Errorf("the daemon beside %s", run)
			}
		}
	}
	if _, err := os.Stat(at("gone")); err == nil {
		t.Error("the system's directory was made")
	}
}

// Where no place is left, the error has the command.
func TestASlotInWhichNoSocketCanBeMade(t *testing.T) {
	t.Parallel()
	_, _, m, w := stocked(t)
	path := filepath.Join(m.slot(w), "agent.sock")
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	r := m.run("", "agentkeys-daemon", "run", "--wallet", w)
	if r.code != exitFault || !strings.Contains(r.stderr, "hint: mv "+path+" "+path+".aside") {
		t.Errorf("%+v", r)
	}
	m.doctor("agentkeys-daemon")[0].has("socket", "fail", path+" is no socket")
}
