package main

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/agentkeys/agentkeys/internal/retry"
	"github.com/agentkeys/agentkeys/internal/sdnotify"
)

// optional is the listener of the metrics. The broker's work goes on without it, so an
// address that is taken, or not there yet, is tried again.
type optional struct {
	address  string // empty: nobody wants one
	handler  http.Handler
	notifier *sdnotify.Notifier
	log      *slog.Logger
	told     string // why it is not there, as it was told; empty: it is
}

// open returns nil where it cannot be opened now.
func (m *optional) open(ctx context.Context) *server {
	if m.address == "" {
		return nil
	}
	s, err := newServer(ctx, m.address, identity{}, m.handler, m.log)
	if err != nil {
		m.away(ctx, err)
		return nil
	}
	if m.told != "" {
		m.notifier.Status("")
	}
	m.told = ""
	m.log.Info("metrics", "url", s.url+"/metrics")
	return s
}

func (m *optional) away(ctx context.Context, err error) {
	if ctx.Err() != nil || err.Error() == m.told {
		return
	}
	m.told = err.Error()
	m.log.Warn("the metrics are not served: the address is tried again", "address", m.address, "error", err)
	m.notifier.Status("serving, but no metrics on " + m.address + ": " + m.told)
}

// run serves s, which may be nil, and whatever can be opened later, until ctx ends.
func (m *optional) run(ctx context.Context, s *server) {
	if m.address == "" {
		return
	}
	for attempt := 0; ; attempt++ {
		if s != nil {
			err := s.until(ctx)
			if ctx.Err() != nil {
				return
			}
			m.away(ctx, errors.Join(errors.New("the listener ended"), err))
			attempt = 0
		}
		pause(ctx, retry.Backoff{Min: time.Second, Max: 30 * time.Second}.After(attempt, rand.Float64(), 0))
		if ctx.Err() != nil {
			return
		}
		s = m.open(ctx)
	}
}
