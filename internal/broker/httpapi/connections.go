package httpapi

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"sync"

	"github.com/agentkeys/agentkeys/internal/broker"
)

// Connections bounds the connections of strangers: of those that showed no good token yet,
// the busiest network loses its oldest where one more than the limit comes. Each costs
// memory and a file descriptor before it says a word, and anybody may open them. Those of
// daemons and owners are not counted, nor those of a trusted proxy or a unix socket.
type Connections struct {
	limit   int
	trusted []netip.Prefix

	mu      sync.Mutex
	strange []*connection // oldest first
}

// NewConnections bounds strangers to limit connections.
func NewConnections(limit int, trusted []netip.Prefix) *Connections {
	return &Connections{limit: limit, trusted: trusted}
}

// connection is one that is or was a stranger's.
type connection struct {
	net.Conn
	of    *Connections
	place broker.Place

	gone bool // from the strangers: known by now, closed or displaced
}

// Close makes room for the next connection.
func (c *connection) Close() error {
	c.of.remove(c)
	return c.Conn.Close()
}

// Listen counts what l accepts.
func (c *Connections) Listen(l net.Listener) net.Listener { return &counted{Listener: l, of: c} }

type counted struct {
	net.Listener
	of *Connections
}

// Accept closes the connection that makes room for the new one.
func (l *counted) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	host, _, err := net.SplitHostPort(conn.RemoteAddr().String())
	if err != nil || within(l.of.trusted, host) {
		return conn, nil
	}
	c := &connection{Conn: conn, of: l.of, place: broker.PlaceOf(host)}
	if displaced := l.of.add(c); displaced != nil {
		_ = displaced.Conn.Close() // its server sees the end
	}
	return c, nil
}

// add returns the connection that has to go, or nil.
func (c *Connections) add(one *connection) *connection {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.strange = append(c.strange, one)
	if len(c.strange) <= c.limit {
		return nil
	}
	places := make([]broker.Place, len(c.strange))
	for i, s := range c.strange {
		places[i] = s.place
	}
	i := broker.Busiest(places)
	displaced := c.strange[i]
	displaced.gone, c.strange = true, slices.Delete(c.strange, i, i+1)
	return displaced
}

func (c *Connections) remove(one *connection) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if one.gone {
		return
	}
	i := slices.Index(c.strange, one)
	one.gone, c.strange = true, slices.Delete(c.strange, i, i+1)
}

type connectionKey struct{}

// Context is http.Server's ConnContext: by it a request finds its connection.
func (c *Connections) Context(ctx context.Context, conn net.Conn) context.Context {
	if tls, ok := conn.(interface{ NetConn() net.Conn }); ok {
		conn = tls.NetConn()
	}
	if one, ok := conn.(*connection); ok {
		return context.WithValue(ctx, connectionKey{}, one)
	}
	return ctx
}

// known is what a good token makes of the request's connection; nil where it is not counted.
func known(ctx context.Context) func() {
	one, ok := ctx.Value(connectionKey{}).(*connection)
	if !ok {
		return nil
	}
	return func() { one.of.remove(one) }
}
