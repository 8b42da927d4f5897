// Package keyringtest gives tests a session bus of their own and a real
// gnome-keyring on it, with a home of its own. Everything it starts is
// gone when the test ends. Linux only in effect: elsewhere the tests are skipped.
package keyringtest

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/agentkeys/agentkeys/test/needs"
)

// waitLimit bounds every wait of this package. It is long because of busy machines.
const waitLimit = 30 * time.Second

// Dir is a private directory with a name short enough for sockets in it.
func Dir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "ak")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Errorf("remove test directory: %v", err)
		}
	})
	return dir
}

// busConfig has no service directory: nothing can be activated.
const busConfig = `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
<type>session</type><listen>unix:path=%s</listen><auth>EXTERNAL</auth>%s
<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy>
</busconfig>
`

// Bus is a private session bus.
type Bus struct {
	Address string // for DBUS_SESSION_BUS_ADDRESS
	*Process
}

// StartBus starts a private dbus-daemon that can activate nothing and returns its
// address.
func StartBus(t testing.TB) string {
	t.Helper()
	return NewBus(t, "").Address
}

// NewBus is StartBus for tests that stop or kill the bus. Its services are the
// *.service files in dir; empty = none.
// env is added to what activated programs inherit.
func NewBus(t testing.TB, dir string, env ...string) *Bus {
	t.Helper()
	needs.Programs(t, "dbus-daemon")
	home := Dir(t)
	socket, config := filepath.Join(home, "bus"), filepath.Join(home, "bus.conf")
	services := ""
	if dir != "" {
		services = "<servicedir>" + dir + "</servicedir>"
	}
	if err := os.WriteFile(config, fmt.Appendf(nil, busConfig, socket, services), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("dbus-daemon", "--config-file="+config, "--nofork", "--nopidfile", "--nosyslog", "--print-address=1")
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + home}, env...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p := start(t, cmd)
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatalf("dbus-daemon: %v: %s", err, p.errors)
	}
	return &Bus{Address: "unix:path=" + socket, Process: p}
}

// Process is a program that this package started; it leads a process group, which
// is killed when the test ends.
type Process struct {
	t      testing.TB
	cmd    *exec.Cmd
	errors *bytes.Buffer
	done   chan struct{}
}

func start(t testing.TB, cmd *exec.Cmd) *Process {
	t.Helper()
	p := &Process{t: t, cmd: cmd, errors: new(bytes.Buffer), done: make(chan struct{})}
	cmd.Stderr = p.errors
	cmd.WaitDelay = time.Second
	lead(cmd)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.done)
		_ = cmd.Wait() // killed, as a rule
	}()
	t.Cleanup(p.Kill)
	return p
}

// PID of the process.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Ended reports whether it is gone, by itself or killed.
func (p *Process) Ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// Outcome of a process that has ended, with what it said on stderr.
func (p *Process) Outcome() string {
	<-p.done
	return p.cmd.ProcessState.String() + ": " + p.errors.String()
}

// Kill ends it at once and waits until it is gone.
func (p *Process) Kill() {
	select {
	case <-p.done: // its number may be another's by now
		return
	default:
	}
	kill(p.PID())
	select {
	case <-p.done:
	case <-time.After(waitLimit):
		p.t.Errorf("%s does not end", p.cmd.Path)
	}
}
