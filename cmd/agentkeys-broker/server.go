package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"

	"golang.org/x/sys/unix"

	"github.com/agentkeys/agentkeys/internal/broker/httpapi"
)

// server is one listener with its handler.
type server struct {
	http     *http.Server
	listener net.Listener
	url      string
}

// newServer opens the address and makes the server.
func newServer(
	ctx context.Context, address string, id identity, h http.Handler, strangers *httpapi.Connections, log *slog.Logger,
) (*server, error) {
	l, err := listen(ctx, address)
	if err != nil {
		return nil, err
	}
	s := &server{http: httpServer(h, log), listener: strangers.Listen(l), url: id.url(l.Addr())}
	s.http.TLSConfig, s.http.ConnContext = id.config, strangers.Context
	return s, nil
}

// maxStrangers is how many connections clients may have that have shown no good token yet: each takes
// about 40 KiB with TLS, and together they take at most a quarter of the file descriptors.
func maxStrangers() int {
	const most = 2048
	var files unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &files); err != nil {
		return most
	}
	return int(min(most, files.Cur/4))
}

// until serves until ctx ends, and then gives requests in progress 5 s.
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

// serve serves until Shutdown, and then returns nil.
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
