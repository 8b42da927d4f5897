package main

import (
	"context"
	"crypto/tls"
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

// newServer opens the address; cert and key are files or empty.
func newServer(ctx context.Context, address, cert, key string, h http.Handler, log *slog.Logger) (*server, error) {
	var config *tls.Config
	if cert != "" {
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			return nil, fmt.Errorf("load certificate: %w", err)
		}
		config = &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}}
	}
	l, url, err := listen(ctx, address, config != nil)
	if err != nil {
		return nil, err
	}
	s := &server{http: httpServer(h, log), listener: l, url: url}
	s.http.TLSConfig = config
	return s, nil
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
