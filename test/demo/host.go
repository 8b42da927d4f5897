package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// host is the one machine of the demonstration, with owner, broker and both agents.
type host struct {
	bin, dir string
	env      []string
	started  []*program
}

// hostEnv keeps the environment of the person who runs it, so that the real keychain is used,
// without the variables that lead to that person's own slots, sockets and settings.
func hostEnv(env []string, dir string) []string {
	var out []string
	bus, runtime := "", ""
	for _, e := range env {
		name, value, _ := strings.Cut(e, "=")
		switch {
		case name == "XDG_RUNTIME_DIR":
			runtime = value
		case name == "DBUS_SESSION_BUS_ADDRESS":
			bus = value
			out = append(out, e)
		case name == "AGENTKEYS_SESSION_STORE", name == "AGENTKEYS_KEYCHAIN_TIMEOUT", !strings.HasPrefix(name, "AGENTKEYS_"):
			out = append(out, e)
		}
	}
	if socket := filepath.Join(runtime, "bus"); bus == "" && runtime != "" {
		if _, err := os.Stat(socket); err == nil {
			out = append(out, "DBUS_SESSION_BUS_ADDRESS=unix:path="+socket)
		}
	}
	return append(out, "AGENTKEYS_HOME="+filepath.Join(dir, "home"), "AGENTKEYS_CONFIG_DIR="+filepath.Join(dir, "config"))
}

func (h *host) setenv(name, value string) { h.env = append(h.env, name+"="+value) }

// outcome is the result of a command.
type outcome struct {
	stdout, stderr string
	code           int
}

func (o outcome) String() string {
	return strings.TrimSpace(fmt.Sprintf("exit %d %s %s", o.code, strings.TrimSpace(o.stdout), strings.TrimSpace(o.stderr)))
}

// do runs a command to its end; err only if it could not be started.
func (h *host) do(ctx context.Context, stdin, name string, args ...string) (outcome, error) {
	cmd := exec.CommandContext(ctx, filepath.Join(h.bin, name), args...)
	var stdout, stderr bytes.Buffer
	cmd.Env, cmd.Dir, cmd.Stdin, cmd.Stdout, cmd.Stderr = h.env, h.dir, strings.NewReader(stdin), &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || ctx.Err() != nil) {
		return outcome{}, fmt.Errorf("run %s: %w", name, errors.Join(err, ctx.Err()))
	}
	return outcome{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}, nil
}

// must is do for steps without which the demonstration cannot continue.
func (h *host) must(ctx context.Context, stdin, name string, args ...string) (outcome, error) {
	o, err := h.do(ctx, stdin, name, args...)
	if err == nil && o.code != 0 {
		err = fmt.Errorf("%s %s: %s", name, strings.Join(args, " "), o)
	}
	return o, err
}

// program is a program that runs until it is stopped.
type program struct {
	cmd   *exec.Cmd
	lines chan string // of standard output; closed at its end
	done  chan struct{}
	mu    sync.Mutex
	log   bytes.Buffer
}

func (h *host) start(name string, args ...string) (*program, error) {
	p := &program{lines: make(chan string, 64), done: make(chan struct{})}
	p.cmd = exec.Command(filepath.Join(h.bin, name), args...)
	p.cmd.Env, p.cmd.Dir, p.cmd.Stderr = h.env, h.dir, p
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	h.started = append(h.started, p)
	go p.drain(stdout)
	return p, nil
}

// drain reads to the end, so that Wait may be called and the program never blocks.
func (p *program) drain(stdout io.Reader) {
	defer close(p.done)
	for scan := bufio.NewScanner(stdout); scan.Scan(); {
		select {
		case p.lines <- scan.Text():
		default:
		}
	}
	close(p.lines)
	_ = p.cmd.Wait() // stop returns the exit code
}

// Write collects the program's log.
func (p *program) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.Write(b)
}

// line waits for a line of standard output that holds text.
func (p *program) line(ctx context.Context, text string) (string, error) {
	for {
		select {
		case l, ok := <-p.lines:
			if !ok {
				<-p.done
				return "", fmt.Errorf("%s ended without %q: %s", filepath.Base(p.cmd.Path), text, p.log.String())
			}
			if strings.Contains(l, text) {
				return l, nil
			}
		case <-ctx.Done():
			return "", fmt.Errorf("wait for %q: %w", text, ctx.Err())
		}
	}
}

// stop asks the program to end and returns its exit code; -1: it was killed.
func (p *program) stop() int {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
	select {
	case <-p.done:
	case <-time.After(8 * time.Second):
		_ = p.cmd.Process.Kill()
		<-p.done
	}
	return p.cmd.ProcessState.ExitCode()
}
