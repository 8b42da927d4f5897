package e2e_test

import (
	"context"
	"os"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// noCore is the line of /proc/PID/limits of a process that allows itself no core file.
var noCore = regexp.MustCompile(`(?m)^Max core file size +0 +0 `)

// begun waits until the program, and not only the runtime below it, has begun: it allows
// itself no core file in its first acts.
func (p *process) begun() {
	p.t.Helper()
	for p.running() { // without a pause: what is looked for takes a millisecond
		limits, err := os.ReadFile("/proc/" + strconv.Itoa(p.cmd.Process.Pid) + "/limits")
		if err == nil && noCore.Match(limits) {
			return
		}
	}
	p.t.Fatalf("%s ended: %s", p.name, p.err)
}

// logs waits for a line of standard error that holds text.
func (p *process) logs(text string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if _, ok := p.err.line(ctx, func(l string) bool { return strings.Contains(l, text) }); !ok {
		p.t.Fatalf("%s never logged %q: %s", p.name, text, p.err)
	}
}

// A SIGHUP asks for a reload; one that comes while the program starts must not end it.
func TestAHangUpWhileItStartsEndsNoDaemonAndNoBroker(t *testing.T) {
	t.Parallel()
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_CORE, &limit); err != nil || limit.Max == 0 {
		t.Fatalf("the core limit shows no program's beginning here: %+v, %v", limit, err)
	}
	b := startBroker(t)
	m := newMachine(t)
	w := newOwner(t, b).adopt(m, "bot", "openrouter")
	b.stop()
	for range 20 {
		serving := b.m.start("", "agentkeys-broker", "serve", "--listen", b.addr, "--data", b.data)
		serving.begun()
		serving.signal(syscall.SIGHUP)
		serving.expect("listening on ")
		serving.stop()

		daemon := m.start("", "agentkeys-daemon", "run", "--wallet", w)
		daemon.begun()
		daemon.signal(syscall.SIGHUP)
		daemon.logs("ready")
		daemon.stop()
	}
}

// A command that ends by itself ends with its terminal, whenever that goes.
func TestAHangUpEndsAPairing(t *testing.T) {
	t.Parallel()
	b := startBroker(t)
	for _, wait := range []func(*process){(*process).begun, func(p *process) { p.expect("agentkeys approve") }} {
		for range 5 {
			p := newMachine(t).start("", "agentkeys-daemon", "pair", "--broker", b.url)
			wait(p)
			p.signal(syscall.SIGHUP)
			if r := p.wait(); r.signal != syscall.SIGHUP {
				t.Errorf("%+v", r)
			}
		}
	}
}
