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
	reader = 4               // clients at once
	span   = 1 * time.Second // of one round
	rounds = 5
	single = 5000 // reads one after the other
)

// serveBare is what net/http can do at best on this machine: the same answer from a
// handler that does nothing.
func serveBare(ctx context.Context, socket string) error {
	l, err := net.Listen("unix", socket)
	if err != nil {
		return err
	}
	body := []byte(`{"service":"openrouter","revision":1,"age_seconds":0,"credential":"a value of a usual length: 73 characters, as the keys of the services are"}` + "\n")
	s := &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(body) // the client may have gone
	})}
	context.AfterFunc(ctx, func() { _ = s.Close() }) // the listener's error is seen below
	if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// reads compares agent.sock with the bare handler, in turns in the same run.
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
	p50, err := median(ctx, ours)
	if err != nil {
		return err
	}
	bareP50, err := median(ctx, theirs)
	if err != nil {
		return err
	}
	t.most(fmt.Sprintf("credential read over agent.sock, p50 of %d", single), milliseconds(p50), 0.15, "ms")
	t.fact("the same read from a bare handler, p50", milliseconds(bareP50), "ms")
	return rates(ctx, ours, theirs, t)
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
	slices.Sort(mine)
	slices.Sort(other)
	slices.Sort(ratio)
	t.fact(fmt.Sprintf("requests over agent.sock, %d clients, median of %d rounds", reader, rounds), mine[rounds/2], "/s")
	t.fact(fmt.Sprintf("requests to a bare handler, %d clients, median of %d rounds", reader, rounds), other[rounds/2], "/s")
	t.least("ratio of the two, median of rounds", ratio[rounds/2], 0.5, "")
	return nil
}

func median(ctx context.Context, c *http.Client) (time.Duration, error) {
	took := make([]time.Duration, single)
	for i := range took {
		began := time.Now()
		if _, err := get(ctx, c, "/v1/credentials/openrouter"); err != nil {
			return 0, err
		}
		took[i] = time.Since(began)
	}
	slices.Sort(took)
	return took[single/2], nil
}

// rate is how many requests a second the clients got answered.
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
