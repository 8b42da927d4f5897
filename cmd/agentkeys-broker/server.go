package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
)

// server is one listener with its handler.
type server struct {
	http     *http.Server
	listener net.Listener
	url      string
}

// newServer opens the address.
func newServer(ctx context.Context, address string, id identity, h http.Handler, log *slog.Logger) (*server, error) {
	l, err := listen(ctx, address)
	if err != nil {
		return nil, err
	}
	s := &server{http: httpServer(h, log), listener: l, url: id.url(l.Addr())}
	s.http.TLSConfig = id.config
	return s, nil
}

// until answers until ctx ends, and then gives answers that are under way 5 s.
func (s *server) until(ctx context.Context) error {
	failed := make(chan error, 1)
	go func() { failed <- s.serve() }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	end, done := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer done()
	if err := s.http.Shutdown(end); err != nil {
		return s.http.Close()
	}
	return nil
}

// serve answers until Shutdown; nil then.
func (s *server) serve() error {
	var err error
	if s.http.TLSConfig != nil {
		err = s.http.ServeTLS(s.listener, "", "")
	} else {
		err = s.http.Serve(s.listener)
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("serve: %w", err)
}
