// Package brokertest runs a real broker for tests: the rules over SQLite behind HTTP on
// loopback, with a clock that the test moves. Its Conformance is the suite that every database
// of the broker passes. Only _test files import it.
package brokertest

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/agentkeys/agentkeys/internal/broker"
	"github.com/agentkeys/agentkeys/internal/broker/httpapi"
	"github.com/agentkeys/agentkeys/internal/broker/sqlite"
	"github.com/agentkeys/agentkeys/internal/secret"
	"github.com/agentkeys/agentkeys/internal/session"
)

// Server is a running broker. URL and Dir stay the same over Restart.
type Server struct {
	URL    string
	Dir    string // holds broker.db
	Broker *broker.Broker
	Clock  *Clock
	Log    *slog.Logger

	t     testing.TB
	addr  string
	store *sqlite.Store
	disk  *fullDisk // over store
	http  *http.Server
	done  chan struct{}
}

// Start runs a broker without accounts until the test ends.
func Start(t testing.TB) *Server {
	t.Helper()
	s := &Server{t: t, Dir: t.TempDir(), Clock: NewClock(), Log: slog.New(slog.DiscardHandler), addr: Reserved(t)}
	s.start()
	t.Cleanup(s.stop)
	return s
}

func (s *Server) start() {
	s.t.Helper()
	ctx := context.Background()
	store, err := sqlite.Open(ctx, filepath.Join(s.Dir, "broker.db"))
	if err != nil {
		s.t.Fatal(err)
	}
	s.store = store
	s.disk = &fullDisk{Store: store}
	s.Broker, err = broker.New(ctx, broker.Config{Store: s.disk, Now: s.Clock.Now, Log: s.Log, Version: "test"})
	if err != nil {
		s.t.Fatal(err)
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", s.addr)
	if err != nil {
		s.t.Fatal(err)
	}
	s.addr = listener.Addr().String()
	s.URL = "http://" + s.addr
	s.done = make(chan struct{})
	s.http = &http.Server{Handler: httpapi.New(httpapi.Config{Broker: s.Broker, Log: s.Log}), ReadHeaderTimeout: 5 * time.Second}
	go func(h *http.Server, done chan struct{}) {
		defer close(done)
		if err := h.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			s.t.Errorf("serve: %v", err)
		}
	}(s.http, s.done)
}

func (s *Server) stop() {
	s.Broker.Close()
	if err := s.http.Close(); err != nil {
		s.t.Errorf("close listener: %v", err)
	}
	<-s.done
	if err := s.store.Close(); err != nil {
		s.t.Errorf("close database: %v", err)
	}
}

// Stop makes the broker unreachable until Restart, and ends the long polls.
func (s *Server) Stop() { s.stop() }

// Restart starts a stopped broker again, on the same directory and address.
func (s *Server) Restart() {
	s.t.Helper()
	s.start()
}

// NewEpoch does what a restore of the database does: the broker begins a new epoch, and every
// account waits for its owner.
func (s *Server) NewEpoch() {
	s.t.Helper()
	err := s.store.Update(context.Background(), func(tx broker.Tx) error { return tx.SetMeta("epoch", "") })
	if err != nil {
		s.t.Fatal(err)
	}
	s.Stop()
	s.Restart()
}

// Copy is the current content of the database file.
func (s *Server) Copy() []byte {
	s.t.Helper()
	to := filepath.Join(s.t.TempDir(), "copy.db")
	if err := sqlite.Backup(context.Background(), filepath.Join(s.Dir, "broker.db"), to, nil); err != nil {
		s.t.Fatal(err)
	}
	data, err := os.ReadFile(to)
	if err != nil {
		s.t.Fatal(err)
	}
	return data
}

// PutBack stops the broker, replaces its database by a copy, and starts it again in a new
// epoch.
func (s *Server) PutBack(copied []byte) {
	s.t.Helper()
	s.Stop()
	path := filepath.Join(s.Dir, "broker.db")
	for _, end := range []string{"-wal", "-shm"} {
		_ = os.Remove(path + end) // a clean stop leaves no such file
	}
	if err := os.WriteFile(path, copied, 0o600); err != nil {
		s.t.Fatal(err)
	}
	s.Restart()
	s.NewEpoch()
}

// SetupToken makes a set-up token that the next account may use. An earlier unused one becomes
// invalid.
func (s *Server) SetupToken() secret.String {
	s.t.Helper()
	token := session.NewToken()
	if err := s.Broker.SetSetup(context.Background(), session.TokenHash(token)); err != nil {
		s.t.Fatal(err)
	}
	return token
}

// Clock is the broker's wall clock.
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// NewClock begins at the true time, in whole seconds.
func NewClock() *Clock { return &Clock{now: time.Now().Truncate(time.Second)} }

// Now is the time by the broker's clock.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Jump moves the clock. The broker distrusts a jump of more than a day.
func (c *Clock) Jump(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// Advance lets d pass as it does for a running broker: it calls the broker's sweep on the way,
// so that no step is a jump of the clock.
func (s *Server) Advance(d time.Duration) {
	s.t.Helper()
	const step = 12 * time.Hour
	for d > 0 {
		s.Clock.Jump(min(d, step))
		d -= step
		if err := s.Broker.Sweep(context.Background()); err != nil {
			s.t.Fatal(err)
		}
	}
}
