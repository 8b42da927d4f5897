package e2e_test

import (
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// A daemon that is being started again costs a program a moment, and no error: here one
// that ends three times before it answers.
func TestAProgramWaitsForADaemonThatComesBack(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	w := "0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed"
	dir := filepath.Join(m.home, "daemon-"+w)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", filepath.Join(dir, "agent.sock"))
	if err != nil {
		t.Fatal(err)
	}
	var asked atomic.Int32
	s := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if asked.Add(1) < 4 {
			panic(http.ErrAbortHandler)
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"service":"openrouter","revision":1,"age_seconds":0,"credential":"key-1"}`)
	})}
	go func() { _ = s.Serve(l) }()
	t.Cleanup(func() { _ = s.Close() })
	if r := m.run("", "agentkeys", "read", "openrouter", "--wallet", w); r.code != exitOK || strings.TrimSpace(r.stdout) != "key-1" {
		t.Errorf("%+v", r)
	}
	if n := asked.Load(); n != 4 {
		t.Errorf("asked %d times", n)
	}
}

// One that crashed and does not come back is an error after 5 s; one that was stopped
// leaves nothing to wait for.
func TestAProgramDoesNotWaitForADaemonThatWasStopped(t *testing.T) {
	t.Parallel()
	b := startBroker(t)
	o := newOwner(t, b)
	m := newMachine(t)
	run := filepath.Join(m.dir, "r")
	if err := os.Mkdir(run, 0o700); err != nil {
		t.Fatal(err)
	}
	w := o.adopt(m, "bot", "openrouter")
	for name, where := range map[string]*machine{"in the slot": m, "in a runtime directory": m.with("XDG_RUNTIME_DIR", run)} {
		place := filepath.Dir(where.socket(w, "agent.sock"))
		d := where.daemon(w)
		d.kill()
		if _, err := os.Stat(filepath.Join(place, "agent.sock")); err != nil {
			t.Fatal(err) // what says that one ended without wanting to
		}
		r := where.run("", "agentkeys", "list", "--wallet", w)
		if r.code != exitUnreachable || r.took < 4*time.Second {
			t.Errorf("%s, crashed: %+v", name, r)
		}
		d = where.daemon(w)
		d.signal(syscall.SIGTERM)
		if r := d.wait(); r.code != exitOK {
			t.Fatalf("%+v", r)
		}
		left, _ := filepath.Glob(filepath.Join(place, "*.sock"))
		if _, err := os.Stat(place); len(left) > 0 || where != m && err == nil {
			t.Errorf("%s: a stop leaves %v, %v", name, left, err)
		}
		if r := where.run("", "agentkeys", "list", "--wallet", w); r.code != exitUnreachable {
			t.Errorf("%s, stopped: %+v", name, r)
		}
	}
}
