package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

const (
	reader = 4               // clients at the same time
	span   = 1 * time.Second // of one round of measurement
	rounds = 5
	single = 5000 // reads one after another

	// A read may take this many times as long as from a bare handler in the same run, and the
	// rate must be this share of the bare handler's. Absolute times depend on the machine.
	mostTime  = 1.25
	leastRate = 0.75
)

// serveBare serves the same answer from a handler that does nothing else, which is the best
// that net/http can do on this machine.
func serveBare(ctx context.Context, socket string) error {
	l, err := net.Listen("unix", socket)
	if err != nil {
		return err
	}
	body := []byte(`{"service":"openrouter","revision":1,"age_seconds":0,"credential":"a value of a usual length: 73 characters, as the keys of the services are"}` + "\n")
	s := &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(body) // if it fails, the client has closed the connection
	})}
	context.AfterFunc(ctx, func() { _ = s.Close() }) // Serve returns the listener's error
	if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// reads compares agent.sock with the bare handler, by turns in the same run.
func reads(ctx context.Context, h *host, t *table) error {
	daemon, _, err := h.daemon(ctx)
	if err != nil {
		return err
	}
	defer end(daemon)
	socket := filepath.Join(h.dir, "bare.sock")
	self, err := os.Executable()
	if err != nil {
		return err
	}
	bare := exec.CommandContext(ctx, self, "-bare", socket)
	if err := bare.Start(); err != nil {
		return err
	}
	defer end(bare)
	ours, theirs := over(h.socket()), over(socket)
	defer ours.CloseIdleConnections()
	defer theirs.CloseIdleConnections()
	if err := errors.Join(h.serving(ctx, ours), h.serving(ctx, theirs)); err != nil {
		return err
	}
	if err := times(ctx, ours, theirs, t); err != nil {
		return err
	}
	return rates(ctx, ours, theirs, t)
}

// times compares the median read. The two are read by turns, so that other load on the
// machine affects both.
func times(ctx context.Context, ours, theirs *http.Client, t *table) error {
	var mine, other []float64
	for range single {
		a, err := read(ctx, ours)
		if err != nil {
			return err
		}
		b, err := read(ctx, theirs)
		if err != nil {
			return err
		}
		mine, other = append(mine, milliseconds(a)), append(other, milliseconds(b))
	}
	t.fact(fmt.Sprintf("credential read over agent.sock, p50 of %d", single), middle(mine), "ms")
	t.fact("the same read from a bare handler, p50", middle(other), "ms")
	t.most("ratio of the two", middle(mine)/middle(other), mostTime, "")
	return nil
}

// middle sorts the numbers and returns the median.
func middle(numbers []float64) float64 {
	slices.Sort(numbers)
	return numbers[len(numbers)/2]
}

func rates(ctx context.Context, ours, theirs *http.Client, t *table) error {
	var mine, other, ratio []float64
	for range rounds {
		a, err := rate(ctx, ours)
		if err != nil {
			return err
		}
		b, err := rate(ctx, theirs)
		if err != nil {
			return err
		}
		mine, other, ratio = append(mine, a), append(other, b), append(ratio, a/b)
	}
	t.fact(fmt.Sprintf("requests over agent.sock, %d clients, median of %d rounds", reader, rounds), middle(mine), "/s")
	t.fact(fmt.Sprintf("requests to a bare handler, %d clients, median of %d rounds", reader, rounds), middle(other), "/s")
	t.least("ratio of the two, median of rounds", middle(ratio), leastRate, "")
	return nil
}

func read(ctx context.Context, c *http.Client) (time.Duration, error) {
	began := time.Now()
	_, err := get(ctx, c, "/v1/credentials/openrouter")
	return time.Since(began), err
}

// rate is how many requests a second are answered.
func rate(ctx context.Context, c *http.Client) (float64, error) {
	var mu sync.Mutex
	var total int
	var failed error
	var all sync.WaitGroup
	began := time.Now()
	for range reader {
		all.Go(func() {
			n := 0
			var err error
			for ; err == nil && time.Since(began) < span; n++ {
				_, err = get(ctx, c, "/v1/credentials/openrouter")
			}
			mu.Lock()
			defer mu.Unlock()
			total, failed = total+n, errors.Join(failed, err)
		})
	}
	all.Wait()
	return float64(total) / time.Since(began).Seconds(), failed
}
