package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"

	"github.com/agentkeys/agentkeys/internal/cli"
	"github.com/agentkeys/agentkeys/internal/unixsocket"
)

// listen opens an address: host:port, or unix:///path.
func listen(ctx context.Context, address string) (net.Listener, error) {
	if path, ok := unixsocket.Path(address); ok {
		return listenUnix(ctx, path)
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	return l, nil
}

// listenUnix lets every user of the host connect, as to a port on loopback: access is decided by tokens.
func listenUnix(ctx context.Context, path string) (net.Listener, error) {
	l, err := unixsocket.Listen(ctx, path)
	if errors.Is(err, unixsocket.ErrNotSocket) {
		return nil, cli.UsageOf(err, "--listen unix:///run/agentkeys-broker/http.sock")
	}
	return l, err
}

// checkAddress refuses an address over which tokens would be sent unencrypted.
func checkAddress(address string, tls, insecure bool) error {
	if path, ok := unixsocket.Path(address); ok {
		if !filepath.IsAbs(path) {
			return cli.Usage("the path of a unix socket must be absolute", "--listen unix:///run/agentkeys-broker/http.sock")
		}
		return nil
	}
	host, port, err := net.SplitHostPort(address)
	if err == nil {
		_, err = net.LookupPort("tcp", port) //nolint:noctx // a lookup in a table, not on the network
	}
	if err != nil || port == "" {
		return cli.Usage(fmt.Sprintf("%q is not an address", address), "--listen 127.0.0.1:8420")
	}
	if tls || insecure || host == "localhost" {
		return nil
	}
	if ip, err := netip.ParseAddr(host); err == nil && ip.IsLoopback() {
		return nil
	}
	return cli.Usage(fmt.Sprintf("plain HTTP on %s would show every token to the network", address),
		"give --tls self-signed, or --tls-cert and --tls-key, or --insecure-http behind a proxy that speaks TLS, or --listen 127.0.0.1:8420")
}
