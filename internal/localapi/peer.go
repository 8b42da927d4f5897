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

// peerListener asks the kernel who connects, once a connection, and counts
// connections per user.
type peerListener struct {
	net.Listener
	mu      sync.Mutex
	open    map[uint32]int // served
	refused map[uint32]int // being told that they are too many
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

// Accept answers connections over the limit itself.
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

// lookup is the kernel's word; a peer it cannot name is the zero Peer with the
// user that no rule matches.
func lookup(c net.Conn) access.Peer {
	unknown := access.Peer{UID: access.Nobody}
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
