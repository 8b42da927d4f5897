package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	megabyte = 1e6
	starts   = 15
	// startRatio is how many times as long as an empty program a daemon may take to start.
	startRatio = 5
	settleTime = 20 * time.Second // from the start until wake-ups are counted
)

// size builds the daemon as a release does, for the smallest board.
func size(ctx context.Context, h *host, t *table) error {
	out := filepath.Join(h.dir, "daemon-armv7")
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", out, "github.com/agentkeys/agentkeys/cmd/agentkeys-daemon")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=arm", "GOARM=7")
	if text, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build for armv7: %w: %s", err, text)
	}
	info, err := os.Stat(out)
	if err != nil {
		return err
	}
	t.most("agentkeys-daemon, armv7, stripped", float64(info.Size())/megabyte, 14, "MB")
	return os.Remove(out)
}

// start measures the time from exec to READY=1 without a broker, as at boot without network.
func start(ctx context.Context, h *host, t *table) error {
	if err := h.setUp(ctx); err != nil {
		return err
	}
	first, _, err := h.daemon(ctx) // fills the cache, so that later starts have one to load
	if err != nil {
		return err
	}
	c := over(h.socket())
	err = h.serving(ctx, c)
	c.CloseIdleConnections()
	end(first)
	if err != nil {
		return err
	}
	end(h.broker)
	ready, control, err := startTimes(ctx, h)
	if err != nil {
		return err
	}
	t.fact(fmt.Sprintf("start to READY, no network, median of %d (%s)", starts, runtime.GOARCH), milliseconds(ready), "ms")
	t.fact("the same program printing its version and ending, median", milliseconds(control), "ms")
	t.most("ratio of the two", float64(ready)/float64(control), startRatio, "")
	return h.again(ctx)
}

// startTimes starts, by turns, the daemon and, as a control, only its program.
func startTimes(ctx context.Context, h *host) (ready, control time.Duration, err error) {
	var took, bare []time.Duration
	for range starts {
		cmd, ready, err := h.daemon(ctx)
		if cmd != nil && cmd.Process != nil {
			end(cmd)
		}
		if err != nil {
			return 0, 0, err
		}
		began := time.Now()
		if err := h.do(ctx, "", "agentkeys-daemon", "version"); err != nil {
			return 0, 0, err
		}
		took, bare = append(took, ready), append(bare, time.Since(began))
	}
	slices.Sort(took)
	slices.Sort(bare)
	return took[starts/2], bare[starts/2], nil
}

// again starts the broker again at its address.
func (h *host) again(ctx context.Context) error {
	h.broker = h.command(ctx, "agentkeys-broker", "serve", "--listen", strings.TrimPrefix(h.url, "http://"), "--data", filepath.Join(h.dir, "broker"))
	scan, err := lines(h.broker)
	if err != nil {
		return err
	}
	_, err = find(scan, "listening on ")
	return err
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// idleInstance measures an instance that is online and gets no requests.
func idleInstance(ctx context.Context, h *host, t *table, idle time.Duration) error {
	return watch(ctx, h, t, idle, "file store", 60, true)
}

func watch(ctx context.Context, h *host, t *table, idle time.Duration, store string, limit float64, memory bool) error {
	if runtime.GOOS != "linux" {
		t.missing("idle instance, "+store, "needs /proc")
		return nil
	}
	cmd, _, err := h.daemon(ctx)
	if err != nil {
		return err
	}
	defer end(cmd)
	c := over(h.socket())
	err = h.serving(ctx, c)
	c.CloseIdleConnections()
	if err != nil {
		return err
	}
	if err := sleep(ctx, settleTime); err != nil {
		return err
	}
	before, err := switches(cmd.Process.Pid)
	if err != nil {
		return err
	}
	if err := sleep(ctx, idle); err != nil {
		return err
	}
	after, err := switches(cmd.Process.Pid)
	if err != nil {
		return err
	}
	if memory {
		if err := residentMemory(cmd.Process.Pid, t); err != nil {
			return err
		}
	}
	t.most("idle online instance, "+store+": voluntary context switches", float64(after-before)/idle.Minutes(), limit, "/min")
	return nil
}

// residentMemory reads the resident memory; private is what no other instance shares (RssAnon).
func residentMemory(pid int, t *table) error {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return err
	}
	rss, err1 := number(string(status), "VmRSS:")
	anon, err2 := number(string(status), "RssAnon:")
	if err1 != nil || err2 != nil {
		return fmt.Errorf("read memory of %d: %w, %w", pid, err1, err2)
	}
	t.most("idle online instance, file store: resident (VmRSS)", float64(rss)*1024/megabyte, 16.5, "MB")
	t.most("idle online instance, file store: private (RssAnon)", float64(anon)*1024/megabyte, 6, "MB")
	return nil
}

// switches adds up the voluntary context switches of all threads.
func switches(pid int) (int64, error) {
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
	if err != nil || len(files) == 0 {
		return 0, fmt.Errorf("threads of %d: %w", pid, os.ErrNotExist)
	}
	var sum int64
	for _, f := range files {
		status, err := os.ReadFile(f)
		if err != nil {
			continue // the thread ended
		}
		n, err := number(string(status), "\nvoluntary_ctxt_switches:")
		if err != nil {
			return 0, err
		}
		sum += n
	}
	return sum, nil
}

func number(text, key string) (int64, error) {
	_, rest, ok := strings.Cut(text, key)
	fields := strings.Fields(rest)
	if !ok || len(fields) == 0 {
		return 0, fmt.Errorf("no %q", strings.TrimSpace(key))
	}
	return strconv.ParseInt(fields[0], 10, 64)
}
