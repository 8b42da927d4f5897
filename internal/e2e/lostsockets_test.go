package e2e_test

import (
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
			if r := m.run("", "agentkeys-daemon", "doctor", "--wallet", w); !strings.Contains(r.stdout, where+" answers") ||
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

// A session that ended left its XDG_RUNTIME_DIR in the environment of a tmux or a cron job.
func TestAStaleRuntimeDirectoryIsNoReasonNotToStart(t *testing.T) {
	t.Parallel()
	b := startBroker(t)
	o := newOwner(t, b)
	m := newMachine(t)
	w := o.adopt(m, "bot", "openrouter")
	o.put(w, "openrouter", "key-1")
	file := filepath.Join(m.dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, run := range map[string]string{"gone": filepath.Join(m.dir, "gone"), "no directory": file} {
		stale := m.with("XDG_RUNTIME_DIR", run)
		d := stale.launch(w)
		readable(stale, d, "openrouter", "key-1")
		if r := stale.run("", "agentkeys-daemon", "doctor", "--wallet", w); !strings.Contains(r.stdout, run+" is not there") {
			t.Errorf("%s: doctor: %+v", name, r)
		}
		if r := d.stop(); r.code != exitOK {
			t.Errorf("%s: %+v", name, r)
		}
	}
	if _, err := os.Stat(filepath.Join(m.dir, "gone")); err == nil {
		t.Error("the system's directory was made")
	}
}
