package brokerclient

import (
	"context"
	"net"
)

// For the fuzz target of the parser, and for what cannot be reached by a URL.
var (
	ParseProblem = parseProblem
	OnlyLoopback = onlyLoopback
	AskAvahi     = askAvahi
	IsLocalName  = isLocalName
)

// DialLocal dials a name in .local by the Avahi behind socket.
func DialLocal(ctx context.Context, socket, host, port string) (net.Conn, error) {
	c := &Client{avahi: socket}
	return c.dialLocal(ctx, net.Dialer{Timeout: dialTimeout}, "tcp", host, port)
}

// MaxReply is the largest reply in bytes.
const MaxReply = maxReply

// BaseOf is what the requests to the broker of text begin with.
func BaseOf(text string) (string, error) {
	e, err := parseURL(text)
	return e.base, err
}
