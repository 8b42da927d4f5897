package localapi

import (
	"context"
	"net"
	"net/http"
	"sync"

	"github.com/agentkeys/agentkeys/internal/access"
)

type peerKey struct{}

// peerOf is the peer of the request's connection; the zero Peer matches no rule.
func peerOf(r *http.Request) access.Peer {
	p, _ := r.Context().Value(peerKey{}).(access.Peer)
	return p
}

func connContext(ctx context.Context, c net.Conn) context.Context {
	if pc, ok := c.(*peerConn); ok {
		return context.WithValue(ctx, peerKey{}, pc.peer)
	}
	return ctx
}

// peerListener asks the kernel for the peer of each connection, once, and counts the
// connections of each user.
type peerListener struct {
	net.Listener
	mu      sync.Mutex
	open    map[uint32]int // connections that are served
	refused map[uint32]int // connections that are being refused, because there are too many
}

func withPeers(l net.Listener) net.Listener {
	return &peerListener{Listener: l, open: map[uint32]int{}, refused: map[uint32]int{}}
}

type peerConn struct {
	net.Conn
	peer    access.Peer
	release func()
}

func (c *peerConn) Close() error {
	c.release()
	return c.Conn.Close()
}

// Accept returns connections within the limit, and refuses those above it itself.
func (l *peerListener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		peer := lookup(c)
		switch {
		case l.take(l.open, peer.UID, maxPerUser):
			return &peerConn{Conn: c, peer: peer, release: sync.OnceFunc(func() { l.give(l.open, peer.UID) })}, nil
		case l.take(l.refused, peer.UID, maxRefused):
			go func() {
				defer l.give(l.refused, peer.UID)
				refuse(c)
			}()
		default:
			sayRefused(c)
			_ = c.Close()
		}
	}
}

func (l *peerListener) take(of map[uint32]int, uid uint32, most int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if of[uid] >= most {
		return false
	}
	of[uid]++
	return true
}

func (l *peerListener) give(of map[uint32]int, uid uint32) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if of[uid]--; of[uid] == 0 {
		delete(of, uid)
	}
}

// lookup asks the kernel for the peer. A peer that the kernel cannot name gets the user that
// no rule matches.
func lookup(c net.Conn) access.Peer {
	unknown := access.Peer{UID: access.OverflowUID}
	uc, ok := c.(*net.UnixConn)
	if !ok {
		return unknown
	}
	raw, err := uc.SyscallConn()
	if err != nil {
		return unknown
	}
	peer := unknown
	var inner error
	if err := raw.Control(func(fd uintptr) { peer, inner = peerOfSocket(int(fd)) }); err != nil || inner != nil {
		return unknown
	}
	return peer
}
