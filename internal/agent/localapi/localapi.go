// Package localapi serves agent.sock, HTTP over a unix socket for the programs on the same
// machine (api/local.openapi.yaml), and metrics.sock, which has only metrics and health. The
// kernel tells who the caller is, and the rules of internal/access decide
// (docs/spec/architecture.md#who-may-ask).
package localapi

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/agentkeys/agentkeys/internal/access"
	"github.com/agentkeys/agentkeys/internal/agent"
	"github.com/agentkeys/agentkeys/internal/protocol"
)

const maxHeader = 8 << 10 // bytes of a request's header

// Source is what the daemon offers to local callers. No call waits for the network. Errors
// are *protocol.Problem: 403 denied (out of scope, revoked), 404 not_found, 503 unavailable
// with the reason.
type Source interface {
	Credentials() ([]protocol.CredentialInfo, error) // in scope
	Credential(service string) (agent.Credential, error)
	Session() (protocol.LocalSession, error)
	Status() protocol.Status
	Ready() (ok bool, reasons []string)
	Accessed(agent.Access) // reports a read that was granted or denied; it may wait for one write to the card
}

// Config is what a Server needs; nothing may be nil.
type Config struct {
	Source  Source
	Policy  func() access.Policy // the current rules, which a reload may change
	Metrics http.Handler
	Observe func(iface, result string, d time.Duration) // called after each credential request
	Logger  *slog.Logger
}

// Server serves both sockets.
type Server struct {
	c       Config
	agent   http.Handler
	metrics http.Handler
	unseen  sync.Once // logs the first caller that the kernel does not name
}

// New makes a server with its routes.
func New(c Config) *Server {
	s := &Server{c: c}
	s.agent, s.metrics = s.agentRoutes(), s.healthRoutes()
	return s
}

// Serve serves on both listeners until ctx ends, and then gives requests in progress two
// seconds. It closes the listeners. metrics may be nil.
func (s *Server) Serve(ctx context.Context, agent, metrics net.Listener) error {
	servers := []*http.Server{s.server(s.agent)}
	listeners := []net.Listener{agent}
	if metrics != nil {
		servers, listeners = append(servers, s.server(s.metrics)), append(listeners, metrics)
	}
	done := make(chan error, len(servers))
	for i, srv := range servers {
		go func() { done <- srv.Serve(withPeers(listeners[i], s.known)) }()
	}
	var first error
	left := len(servers)
	select {
	case <-ctx.Done():
	case first = <-done:
		left--
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	for _, srv := range servers {
		if srv.Shutdown(grace) != nil {
			_ = srv.Close()
		}
	}
	for range left {
		if err := <-done; first == nil {
			first = err
		}
	}
	if errors.Is(first, http.ErrServerClosed) {
		return nil
	}
	return first
}

// known reports whether a rule lets the peer read anything.
func (s *Server) known(p access.Peer) bool { return s.c.Policy().AllowsAny(p) }

func (s *Server) server(h http.Handler) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      10 * time.Second,
		IdleTimeout:       30 * time.Second,
		MaxHeaderBytes:    maxHeader,
		ConnContext:       connContext,
		ErrorLog:          slog.NewLogLogger(s.c.Logger.Handler(), slog.LevelDebug),
	}
}
