// Package brokerclient sends requests to a broker (api/broker.openapi.yaml). It makes no
// decisions: it returns what the broker answered, or that no broker answered.
//
// Every method returns one of two kinds of errors. A *protocol.Problem is the broker's own
// answer, and the caller decides by its code. An error that wraps protocol.ErrUnreachable
// is everything else: no answer, a proxy's page, a 401 without a code of ours, a reply that
// is malformed, too large or too late; the caller tries again later. It also wraps
// protocol.ErrCertificate when the certificate was refused.
package brokerclient

import (
	"context"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"runtime"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/agentkeys/agentkeys/internal/buildinfo"
)

const (
	defaultTimeout = 20 * time.Second
	waitMargin     = 10 * time.Second // added to the wait of a long poll
	dialTimeout    = 10 * time.Second
	maxReply       = 256 << 10 // bytes of a reply's body: a record of 64 KiB encoded twice, or a full manifest
	maxListReply   = 16 << 20  // bytes of a list, which only an owner requests
	maxProblem     = 64 << 10  // of an error's body
	maxHeader      = 64 << 10  // bytes of a reply's header
)

// Config is what New needs; only URL is required. No function may block.
type Config struct {
	URL     string        // may carry key pins: #spki-sha256-<base64url>[,spki-sha256-..]
	Version string        // for the User-Agent
	Timeout time.Duration // of a request that does not wait; 0 = 20 s

	Now   func() time.Time // nil = time.Now
	Roots *x509.CertPool   // CAs; nil = the machine's
	// Floor is a time that is certainly in the past
	// (docs/spec/architecture.md#clocks-and-certificates); nil = none. Built is one too, the
	// date of this program; zero = what the build recorded.
	Floor func() time.Time
	Built time.Time
	// ObserveLeaf is called with the NotBefore of each broker's certificate that a CA has
	// signed, which is the next floor. It is called during the TLS handshake.
	ObserveLeaf func(notBefore time.Time)
	// Observe is called after each request: code is "ok", "pending", "not_modified",
	// "canceled" (by the caller) or a protocol.Code.
	Observe func(operation, code string, d time.Duration)
	// ObserveDate is called with the broker's clock minus this machine's, to a second or so.
	ObserveDate func(offset time.Duration)
}

// Client sends requests to one broker. It is safe for concurrent use.
type Client struct {
	cfg   Config
	at    endpoint
	http  *http.Client
	avahi string                 // path of Avahi's socket
	epoch atomic.Pointer[string] // sent with requests; nil: none
	seen  atomic.Pointer[string] // from the last answer; nil: none
}

// New checks the URL (ErrURL) and makes a client. It does not connect to the broker.
func New(cfg Config) (*Client, error) {
	at, err := parseURL(cfg.URL)
	if err != nil {
		return nil, fmt.Errorf("broker: %w", err)
	}
	if cfg.Timeout <= 0 {
		cfg.Timeout = defaultTimeout
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Built.IsZero() {
		cfg.Built = buildinfo.Get().Date
	}
	c := &Client{cfg: cfg, at: at, avahi: avahiSocket}
	c.http = &http.Client{
		Transport: c.transport(),
		// A broker never redirects, and following a redirect would send the token elsewhere.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return c, nil
}

// Close closes idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

func (c *Client) transport() *http.Transport {
	t := &http.Transport{
		DialContext:            c.dial,
		TLSClientConfig:        c.tlsConfig(),
		TLSHandshakeTimeout:    dialTimeout,
		ForceAttemptHTTP2:      true,
		DisableCompression:     true, // ciphertext cannot be compressed
		MaxIdleConnsPerHost:    2,    // one long poll, one for the rest
		IdleConnTimeout:        90 * time.Second,
		MaxResponseHeaderBytes: maxHeader,
		// HTTP/2 uses one connection for all requests, so a dead one has to be detected.
		HTTP2: &http.HTTP2Config{SendPingTimeout: 30 * time.Second, PingTimeout: dialTimeout},
	}
	if !c.at.plain && !c.at.loopback {
		t.Proxy = http.ProxyFromEnvironment
	}
	return t
}

func (c *Client) dial(ctx context.Context, network, address string) (net.Conn, error) {
	d := net.Dialer{Timeout: dialTimeout}
	if c.at.socket != "" {
		return d.DialContext(ctx, "unix", c.at.socket)
	}
	if c.at.plain {
		d.Control = onlyLoopback
	}
	if host, port, err := net.SplitHostPort(address); err == nil && runtime.GOOS == "linux" && isLocalName(host) {
		return c.dialLocal(ctx, d, network, host, port)
	}
	return d.DialContext(ctx, network, address)
}

// onlyLoopback limits plain HTTP to this machine, whatever "localhost" resolves to.
func onlyLoopback(_, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil || !to.Addr().Unmap().IsLoopback() {
		return fmt.Errorf("%w: plain HTTP leads to another machine", ErrURL)
	}
	return nil
}
