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
	known func(access.Peer) bool // whether a rule lets the peer read anything
	quota *quota
}

func withPeers(l net.Listener, known func(access.Peer) bool) net.Listener {
	return &peerListener{Listener: l, known: known, quota: newQuota()}
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

// Accept returns connections within the limits, and refuses those above them itself.
func (l *peerListener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		peer := lookup(c)
		stranger := !l.known(peer)
		if release, ok := l.quota.open(peer.UID, stranger); ok {
			return &peerConn{Conn: c, peer: peer, release: sync.OnceFunc(release)}, nil
		}
		if release, ok := l.quota.refuse(peer.UID, stranger); ok {
			go func() {
				defer release()
				refuse(c)
			}()
			continue
		}
		sayRefused(c)
		_ = c.Close()
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
