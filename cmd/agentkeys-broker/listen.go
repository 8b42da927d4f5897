package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// listen opens an address: host:port, or unix:///path.
func listen(ctx context.Context, address string) (net.Listener, error) {
	if path, ok := socketPath(address); ok {
		return listenUnix(ctx, path)
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	return l, nil
}

func socketPath(address string) (string, bool) {
	path, ok := strings.CutPrefix(address, "unix:")
	return strings.TrimPrefix(path, "//"), ok
}

// listenUnix removes a socket that nobody answers on. It is open to every user of
// the host, as a port on loopback is: the tokens decide.
func listenUnix(ctx context.Context, path string) (net.Listener, error) {
	if _, err := os.Lstat(path); err == nil {
		d := net.Dialer{Timeout: time.Second}
		if c, err := d.DialContext(ctx, "unix", path); err == nil {
			return nil, errors.Join(fmt.Errorf("listen: somebody answers on %s", path), c.Close())
		}
		if err := os.Remove(path); err != nil {
			return nil, fmt.Errorf("listen: %w", err)
		}
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "unix", path)
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	if err := os.Chmod(path, 0o666); err != nil { //nolint:gosec // as a port on loopback: every user may connect, tokens decide
		return nil, errors.Join(fmt.Errorf("listen: %w", err), l.Close())
	}
	return l, nil
}

// checkAddress refuses what would send tokens in the clear over a network.
func checkAddress(address string, tls, insecure bool) error {
	if path, ok := socketPath(address); ok {
		if !filepath.IsAbs(path) {
			return &mistake{"the path of a unix socket must be absolute", "--listen unix:///run/agentkeys-broker/http.sock"}
		}
		return nil
	}
	host, port, err := net.SplitHostPort(address)
	if err == nil {
		_, err = net.LookupPort("tcp", port) //nolint:noctx // a table of names, not the network
	}
	if err != nil || port == "" {
		return &mistake{fmt.Sprintf("%q is not an address", address), "--listen 127.0.0.1:8420"}
	}
	if tls || insecure || host == "localhost" {
		return nil
	}
	if ip, err := netip.ParseAddr(host); err == nil && ip.IsLoopback() {
		return nil
	}
	return &mistake{
		fmt.Sprintf("plain HTTP on %s would show every token to the network", address),
		"give --tls self-signed, or --tls-cert and --tls-key, or --insecure-http behind a proxy that speaks TLS, or --listen 127.0.0.1:8420",
	}
}
