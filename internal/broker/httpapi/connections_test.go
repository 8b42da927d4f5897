package httpapi_test

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/agentkeys/agentkeys/internal/broker/brokertest"
	"github.com/agentkeys/agentkeys/internal/broker/httpapi"
	"github.com/agentkeys/agentkeys/internal/scope"
	"github.com/agentkeys/agentkeys/internal/secret"
	"github.com/agentkeys/agentkeys/internal/session"
)

// guest is a connection that comes from an address.
type guest struct {
	net.Conn
	from   string
	closed bool
}

func (g *guest) RemoteAddr() net.Addr { return address(g.from) }
func (g *guest) Close() error         { g.closed = true; return nil }

type address string

func (a address) Network() string { return "tcp" }
func (a address) String() string  { return string(a) }

// arrivals is a listener that accepts them one after the other.
type arrivals struct {
	net.Listener
	next []*guest
}

func (a *arrivals) Accept() (net.Conn, error) {
	g := a.next[0]
	a.next = a.next[1:]
	return g, nil
}

func TestAFloodOfConnectionsDisplacesItself(t *testing.T) {
	t.Parallel()
	proxies := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	for name, c := range map[string]struct {
		from   []string // in this order; as many as the limit but where it says so
		closed []int
	}{
		"one below the limit":        {[]string{"192.0.2.1:1", "192.0.2.1:2", "192.0.2.1:3"}, nil},
		"at the limit":               {[]string{"192.0.2.1:1", "192.0.2.1:2", "192.0.2.1:3", "192.0.2.1:4"}, nil},
		"one above: the oldest":      {[]string{"192.0.2.1:1", "192.0.2.1:2", "192.0.2.1:3", "192.0.2.1:4", "192.0.2.1:5"}, []int{0}},
		"a board beside a flood":     {[]string{"198.51.100.1:1", "192.0.2.1:2", "192.0.2.1:3", "192.0.2.1:4", "192.0.2.1:5", "192.0.2.1:6"}, []int{1, 2}},
		"a board that comes late":    {[]string{"192.0.2.1:2", "192.0.2.1:3", "192.0.2.1:4", "192.0.2.1:5", "198.51.100.1:1"}, []int{0}},
		"a flood of a neighbourhood": {[]string{"198.51.100.1:1", "198.51.100.1:2", "192.0.2.1:3", "192.0.2.2:4", "192.0.2.3:5"}, []int{2}},
		"a trusted proxy":            {[]string{"10.0.0.1:1", "10.0.0.1:2", "10.0.0.1:3", "10.0.0.1:4", "10.0.0.1:5"}, nil},
		"a unix socket":              {[]string{"@", "@", "@", "@", "@"}, nil},
	} {
		of := httpapi.NewConnections(4, proxies)
		come := &arrivals{}
		all := []*guest{}
		for _, from := range c.from {
			all = append(all, &guest{from: from})
		}
		come.next = slices.Clone(all)
		l := of.Listen(come)
		for range all {
			brokertest.Must(l.Accept())(t)
		}
		var closed []int
		for i, g := range all {
			if g.closed {
				closed = append(closed, i)
			}
		}
		if diff := cmp.Diff(c.closed, closed); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestAConnectionThatEndedMakesRoom(t *testing.T) {
	t.Parallel()
	first, second, third := &guest{from: "192.0.2.1:1"}, &guest{from: "192.0.2.1:2"}, &guest{from: "192.0.2.1:3"}
	l := httpapi.NewConnections(2, nil).Listen(&arrivals{next: []*guest{first, second, third}})
	conn := brokertest.Must(l.Accept())(t)
	brokertest.Must(l.Accept())(t)
	for range 2 {
		if err := conn.Close(); err != nil {
			t.Fatal(err)
		}
	}
	brokertest.Must(l.Accept())(t)
	if second.closed || third.closed {
		t.Error("one was displaced though there was room")
	}
}

// A client that showed a good token is no stranger: daemons and owners stay connected in a flood.
func TestAGoodTokenKeepsItsConnection(t *testing.T) {
	t.Parallel()
	s := brokertest.Start(t)
	owner := s.Owner()
	agent := s.Agent(owner, scope.All())
	for name, start := range map[string]func(*httptest.Server){"plain": (*httptest.Server).Start, "TLS": (*httptest.Server).StartTLS} {
		of := httpapi.NewConnections(3, nil)
		server := httptest.NewUnstartedServer(httpapi.New(httpapi.Config{Broker: s.Broker}))
		server.Listener, server.Config.ConnContext = of.Listen(server.Listener), of.Context
		start(server)
		t.Cleanup(server.Close)
		clients := map[*http.Client]secret.String{}
		for _, token := range []secret.String{owner.Token, agent.Token} {
			c := &http.Client{Transport: server.Client().Transport.(*http.Transport).Clone()}
			clients[c] = token
			if _, err := reused(t, c, server.URL, token); err != nil {
				t.Fatal(name, err)
			}
		}
		for range 10 {
			conn := brokertest.Must(new(net.Dialer).DialContext(t.Context(), "tcp", server.Listener.Addr().String()))(t)
			t.Cleanup(func() { _ = conn.Close() })
		}
		if _, err := reused(t, server.Client(), server.URL, session.NewToken()); err != nil { // the flood was accepted before
			t.Error(name, err)
		}
		for c, token := range clients {
			if same, err := reused(t, c, server.URL, token); err != nil || !same {
				t.Errorf("%s: the connection was lost: %v", name, err)
			}
		}
	}
}

// reused asks who the bearer is, and reports whether over a connection that was there.
func reused(t *testing.T, c *http.Client, url string, token secret.String) (same bool, err error) {
	t.Helper()
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{GotConn: func(i httptrace.GotConnInfo) { same = i.Reused }})
	r := brokertest.Must(http.NewRequestWithContext(ctx, http.MethodGet, url+"/v1/session", nil))(t)
	r.Header.Set("Authorization", "Bearer "+token.Reveal())
	res, err := c.Do(r)
	if err != nil {
		return false, err
	}
	_, err = io.Copy(io.Discard, res.Body)
	return same, errors.Join(err, res.Body.Close())
}
