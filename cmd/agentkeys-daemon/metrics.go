package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"syscall"
	"time"

	"github.com/agentkeys/agentkeys/internal/health/condition"
	"github.com/agentkeys/agentkeys/internal/portholder"
	"github.com/agentkeys/agentkeys/internal/supervise"
)

// metricsTask serves this instance's metrics on the TCP address of metrics_listen, and on another
// address when a reload names one. If it cannot, that is a condition; the credentials do not depend
// on it (docs/spec/architecture.md#optional-listeners).
func (i *instance) metricsTask() supervise.Task {
	return supervise.Func("metrics", func(ctx context.Context) error {
		for address := ""; ctx.Err() == nil; {
			var err error
			if address, err = i.metricsUntilChanged(ctx, address); err != nil {
				return err
			}
		}
		return nil
	})
}

// metricsUntilChanged serves on address, if it is not empty, until the settings name another address,
// which it returns. It has closed the listener and ended the condition then.
func (i *instance) metricsUntilChanged(ctx context.Context, address string) (next string, err error) {
	serving, stop := context.WithCancel(ctx)
	defer stop()
	tasks := []supervise.Task{supervise.Func("changes", func(ctx context.Context) error {
		defer stop()
		for next = address; next == address; {
			select {
			case <-ctx.Done():
				return nil
			case next = <-i.metricsAt:
			}
		}
		return nil
	})}
	if address != "" {
		tasks = append(tasks, i.listener(address))
	}
	err = supervise.Run(serving, i.log, func() {}, tasks...)
	if ctx.Err() == nil { // when the daemon ends, the condition stays
		i.health.Set(condition.MetricsUnavailable, false, "")
	}
	return next, err
}

// wantMetrics passes the address in the settings to the task. Only the last one counts.
func (i *instance) wantMetrics(address string) {
	select {
	case <-i.metricsAt:
	default:
	}
	i.metricsAt <- address
}

func (i *instance) listener(address string) supervise.Task {
	return supervise.Optional{
		Name: "metrics", Random: random, Serve: i.serveMetrics,
		Listen: func(ctx context.Context) (net.Listener, error) {
			return new(net.ListenConfig).Listen(ctx, "tcp", address)
		},
		Told: func(ctx context.Context, err error) {
			detail := ""
			if err != nil {
				detail = unavailable(ctx, address, err)
			}
			i.health.Set(condition.MetricsUnavailable, err != nil, detail)
		},
	}.Task()
}

// unavailable is why there is no listener on address, with the process that holds it.
func unavailable(ctx context.Context, address string, err error) string {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		holder, _ := portholder.Find(ctx, address)
		return fmt.Sprintf("%s is taken by %s", address, holder)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return address + " is no address of this machine now"
	}
	return address + ": " + err.Error()
}

func (i *instance) serveMetrics(ctx context.Context, l net.Listener) error {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", i.metrics.Handler())
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok\n") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if ok, _ := i.daemon.Ready(); !ok {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, WriteTimeout: 10 * time.Second, IdleTimeout: 30 * time.Second}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() }) // scrapes are repeated
	defer stop()
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		_ = server.Close() // closes the listener too
		return err
	}
	return nil
}
