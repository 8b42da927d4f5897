package e2e_test

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// patience is how long a test waits for what must happen; only a failure uses it up.
const patience = 30 * time.Second

// The exit codes of the programs (docs/spec/architecture.md#exit-codes).
const (
	exitOK, exitFault, exitUsage, exitUnreachable, exitDenied, exitNoSession = 0, 1, 64, 69, 77, 78
)

// machine is one computer of a user: directories and an environment of its own.
type machine struct {
	t    testing.TB
	dir  string // short: paths of sockets are bounded
	home string // AGENTKEYS_HOME
	env  map[string]string
	said *transcript
	runs *atomic.Int32 // programs that have not ended

	stdout, stderr *os.File // where programs write instead of what tests read; may be nil
}

// newMachine has no D-Bus; sessions are kept in files unless a test says otherwise.
func newMachine(t testing.TB) *machine {
	t.Helper()
	dir, err := os.MkdirTemp("", "ak")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	m := &machine{t: t, dir: dir, home: filepath.Join(dir, "k"), said: &transcript{}, runs: &atomic.Int32{}}
	for _, d := range []string{"home", "conf"} {
		if err := os.Mkdir(filepath.Join(dir, d), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	m.env = map[string]string{
		"PATH": os.Getenv("PATH"), "HOME": filepath.Join(dir, "home"), "AGENTKEYS_HOME": m.home,
		"AGENTKEYS_CONFIG_DIR": filepath.Join(dir, "conf"), "AGENTKEYS_SESSION_STORE": "file", "LC_ALL": "C.UTF-8",
	}
	return m
}

// with is the same computer with other variables; an empty value takes one away.
func (m *machine) with(pairs ...string) *machine {
	c := *m
	c.env = maps.Clone(m.env)
	for i := 0; i < len(pairs); i += 2 {
		if c.env[pairs[i]] = pairs[i+1]; pairs[i+1] == "" {
			delete(c.env, pairs[i])
		}
	}
	return &c
}

func (m *machine) environ() []string {
	var out []string
	for _, k := range slices.Sorted(maps.Keys(m.env)) {
		out = append(out, k+"="+m.env[k])
	}
	return out
}

// transcript keeps every word that the programs of one machine wrote, for the canary.
type transcript struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *transcript) add(p []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.text.Write(p)
}

func (s *transcript) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// result is how a command ended.
type result struct {
	stdout, stderr string
	code           int
	signal         syscall.Signal // that ended it, or 0
	took           time.Duration
}

// run waits for a command; one that takes longer than patience is killed and fails.
func (m *machine) run(stdin, program string, args ...string) result {
	m.t.Helper()
	p := m.start(stdin, program, args...)
	return p.wait()
}

// process is a program under way, in a process group of its own.
type process struct {
	t        testing.TB
	name     string
	cmd      *exec.Cmd
	out, err *stream
	began    time.Time
	done     chan struct{}
	code     int           // after done; -1 if a signal ended it
	took     time.Duration // after done
}

func (m *machine) start(stdin, program string, args ...string) *process {
	m.t.Helper()
	p := &process{
		t: m.t, name: program + " " + strings.Join(args, " "), out: newStream(m.said), err: newStream(m.said),
		done: make(chan struct{}), began: time.Now(),
	}
	path := program
	if !strings.Contains(program, "/") {
		path = filepath.Join(bin, program)
	}
	p.cmd = exec.Command(path, args...)
	p.cmd.Env, p.cmd.Dir = m.environ(), m.dir
	p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = strings.NewReader(stdin), p.out, p.err
	if m.stdout != nil {
		p.cmd.Stdout = m.stdout
	}
	if m.stderr != nil {
		p.cmd.Stderr = m.stderr
	}
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p.cmd.WaitDelay = 2 * time.Second
	if err := p.cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
	m.runs.Add(1)
	go func() { defer m.runs.Add(-1); p.reap() }()
	m.t.Cleanup(p.kill)
	return p
}

func (p *process) reap() {
	err := p.cmd.Wait()
	var exit *exec.ExitError
	switch {
	case err == nil || errors.Is(err, exec.ErrWaitDelay):
		p.code = p.cmd.ProcessState.ExitCode()
	case errors.As(err, &exit):
		p.code = exit.ExitCode()
	default:
		p.code = -2
	}
	p.took = time.Since(p.began)
	p.out.close()
	p.err.close()
	close(p.done)
}

func (p *process) wait() result {
	p.t.Helper()
	select {
	case <-p.done:
	case <-time.After(patience):
		p.kill()
		p.t.Fatalf("%s does not end\nstdout: %s\nstderr: %s", p.name, p.out, p.err)
	}
	r := result{stdout: p.out.String(), stderr: p.err.String(), code: p.code, took: p.took}
	if status, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		r.signal = status.Signal()
	}
	return r
}

// running reports whether the process lives.
func (p *process) running() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

func (p *process) signal(s syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		p.t.Fatal(err)
	}
}

// kill is a power cut for the process and its children. One that has ended is left
// alone: its number may be another's by now.
func (p *process) kill() {
	if p.running() {
		_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL) // it may end just now
	}
	<-p.done
}

// stop asks the process to end and fails if it does not.
func (p *process) stop() result {
	p.t.Helper()
	p.signal(syscall.SIGTERM)
	return p.wait()
}

// expect waits for a line of standard output that holds text.
func (p *process) expect(text string) string {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	line, ok := p.out.line(ctx, func(l string) bool { return strings.Contains(l, text) })
	if !ok {
		p.t.Fatalf("%s never said %q\nstdout: %s\nstderr: %s", p.name, text, p.out, p.err)
	}
	return line
}

// eventually waits until check is content; it says what was seen last.
func eventually(t testing.TB, within time.Duration, what string, check func() (string, bool)) time.Duration {
	t.Helper()
	began := time.Now()
	for {
		seen, ok := check()
		if ok {
			return time.Since(began)
		}
		if time.Since(began) > within {
			t.Fatalf("%s: not within %s; last seen: %s", what, within, seen)
		}
		time.Sleep(10 * time.Millisecond)
	}
}
