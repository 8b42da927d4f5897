package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/agentkeys/agentkeys/internal/words"
)

// host is a machine with a broker, an owner and one agent that has one credential.
type host struct {
	bin, dir, url, wallet string
	env                   []string
	broker                *exec.Cmd
}

func newHost(bin string) (*host, error) {
	dir, err := os.MkdirTemp("/tmp", "akbench")
	if err != nil {
		return nil, err
	}
	h := &host{bin: bin, dir: dir, env: []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "AGENTKEYS_HOME=" + filepath.Join(dir, "home"),
		"AGENTKEYS_CONFIG_DIR=" + filepath.Join(dir, "config"), "AGENTKEYS_SESSION_STORE=file",
	}}
	return h, nil
}

func (h *host) close() {
	if h.broker != nil {
		end(h.broker)
	}
	_ = os.RemoveAll(h.dir) // the system clears /tmp if this fails
}

func end(cmd *exec.Cmd) {
	_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended
	_ = cmd.Wait()                          // its exit code is not measured
}

func (h *host) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(h.bin, name), args...)
	cmd.Env, cmd.Dir = h.env, h.dir
	return cmd
}

// with is the environment with more variables.
func (h *host) with(more ...string) []string { return slices.Concat(h.env, more) }

func (h *host) do(ctx context.Context, stdin, name string, args ...string) error {
	cmd := h.command(ctx, name, args...)
	cmd.Stdin = strings.NewReader(stdin)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w: %s", name, args[0], err, out)
	}
	return nil
}

// lines starts a program and returns a scanner of its standard output.
func lines(cmd *exec.Cmd) (*bufio.Scanner, error) {
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	return bufio.NewScanner(out), cmd.Start()
}

func find(scan *bufio.Scanner, text string) (string, error) {
	for scan.Scan() {
		if _, rest, ok := strings.Cut(scan.Text(), text); ok {
			return rest, nil
		}
	}
	return "", fmt.Errorf("no line with %q: %w", text, errors.Join(scan.Err(), io.ErrUnexpectedEOF))
}

// setUp makes the broker, the owner, the agent and its credential.
func (h *host) setUp(ctx context.Context) error {
	h.broker = h.command(ctx, "agentkeys-broker", "serve", "--listen", "127.0.0.1:0", "--data", filepath.Join(h.dir, "broker"))
	scan, err := lines(h.broker)
	if err != nil {
		return err
	}
	if h.url, err = find(scan, "listening on "); err != nil {
		return err
	}
	h.env = append(h.env, "AGENTKEYS_BROKER="+h.url)
	if err := h.do(ctx, "", "agentkeys", "init", "--setup-token-file", filepath.Join(h.dir, "broker", "setup-token")); err != nil {
		return err
	}
	return h.pair(ctx)
}

func (h *host) pair(ctx context.Context) error {
	pair := h.command(ctx, "agentkeys-daemon", "pair", "--json")
	scan, err := lines(pair)
	if err != nil {
		return err
	}
	code, err := find(scan, `"code":"`)
	if err != nil {
		return err
	}
	code, _, _ = strings.Cut(code, `"`)
	if err := h.do(ctx, "", "agentkeys", "approve", code, "--scope", "all", "--yes"); err != nil {
		return err
	}
	var paired struct{ Wallet string }
	for scan.Scan() {
		if err := json.Unmarshal(scan.Bytes(), &paired); err != nil {
			return fmt.Errorf("pair: %w", err)
		}
	}
	if h.wallet = paired.Wallet; h.wallet == "" {
		return errors.New("pair: no wallet")
	}
	if err := pair.Wait(); err != nil {
		return fmt.Errorf("pair: %w", err)
	}
	return h.do(ctx, "a value of a usual length: 73 characters, as the keys of the services are\n", "agentkeys", "store", "openrouter", "--agent", h.wallet)
}

// daemon starts the instance and waits for READY=1 on a notification socket.
func (h *host) daemon(ctx context.Context) (cmd *exec.Cmd, ready time.Duration, err error) {
	path := filepath.Join(h.dir, "notify")
	_ = os.Remove(path) // of the previous start
	notify, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		return nil, 0, err
	}
	defer func() { _ = notify.Close() }() // it was read as far as needed
	cmd = h.command(ctx, "agentkeys-daemon", "run", "--wallet", h.wallet)
	cmd.Env = h.with("NOTIFY_SOCKET=" + path)
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return nil, 0, err
	}
	buf := make([]byte, 4096)
	for {
		if err := notify.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
			return cmd, 0, err
		}
		n, err := notify.Read(buf)
		if err != nil {
			return cmd, 0, fmt.Errorf("wait for READY: %w", err)
		}
		if strings.Contains("\n"+string(buf[:n])+"\n", "\nREADY=1\n") {
			return cmd, time.Since(began), nil
		}
	}
}

func (h *host) socket() string {
	return filepath.Join(h.dir, "home", "daemon-"+h.wallet, words.AgentSocket)
}

func over(socket string) *http.Client {
	return &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{
		MaxIdleConnsPerHost: 16,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		},
	}}
}

// get reads the whole answer for a path. Any status but 200 is an error.
func get(ctx context.Context, c *http.Client, path string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://agent"+path, http.NoBody)
	if err != nil {
		return "", err
	}
	resp, err := c.Do(req)
	if err != nil {
		return "", err
	}
	defer func() { _ = resp.Body.Close() }() // read to its end
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: HTTP %d: %s", path, resp.StatusCode, body)
	}
	return string(body), err
}

// serving waits until the credential can be read.
func (h *host) serving(ctx context.Context, c *http.Client) error {
	var err error
	for range 400 {
		if _, err = get(ctx, c, "/v1/credentials/openrouter"); err == nil {
			return nil
		}
		if err := sleep(ctx, 50*time.Millisecond); err != nil {
			return err
		}
	}
	return err
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
