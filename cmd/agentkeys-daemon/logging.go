package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/agentkeys/agentkeys/internal/settings"
	"github.com/agentkeys/agentkeys/internal/supervise"
)

// logger writes to standard error, as the settings say. The level may change later.
func (p *program) logger(set settings.Settings) (*slog.Logger, *slog.LevelVar) {
	level := &slog.LevelVar{}
	level.Set(levelOf(set.LogLevel))
	options := &slog.HandlerOptions{Level: level}
	if set.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(p.stderr, options)), level
	}
	return slog.New(slog.NewTextHandler(p.stderr, options)), level
}

// quietLogger is for commands whose output a person or a script reads: what is not
// wrong is not said, unless debug is asked for.
func (p *program) quietLogger(set settings.Settings) *slog.Logger {
	log, level := p.logger(set)
	if level.Level() == slog.LevelInfo {
		level.Set(slog.LevelWarn)
	}
	return log
}

func levelOf(text string) slog.Level {
	var level slog.Level
	if level.UnmarshalText([]byte(text)) != nil {
		return slog.LevelInfo // settings let no other text through
	}
	return level
}

// metricsTask serves this instance's metrics on a TCP address of its own.
func (i *instance) metricsTask(address string) (supervise.Task, error) {
	l, err := net.Listen("tcp", address) //nolint:noctx // bound at once
	if err != nil {
		return nil, fmt.Errorf("metrics_listen: %w", err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", i.metrics.Handler())
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok\n") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if ok, _ := i.daemon.Ready(); !ok {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, WriteTimeout: 10 * time.Second, IdleTimeout: 30 * time.Second}
	return supervise.Func("metrics", func(ctx context.Context) error {
		stop := context.AfterFunc(ctx, func() { _ = server.Close() }) // scrapes come again
		defer stop()
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	}), nil
}
