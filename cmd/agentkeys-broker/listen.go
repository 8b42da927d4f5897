package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/agentkeys/agentkeys/internal/cli"
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

// listenUnix replaces a socket on which no process listens. Every user of the host may connect, as to
// a port on loopback: access is decided by tokens.
func listenUnix(ctx context.Context, path string) (net.Listener, error) {
	if err := removeStale(ctx, path); err != nil {
		return nil, fmt.Errorf("listen: %w", err)
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

// removeStale removes a socket whose program has ended, and nothing else, since the path may be
// mistyped.
func removeStale(ctx context.Context, path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode().Type() != fs.ModeSocket {
		return cli.Usage(fmt.Sprintf("%s is there and is no socket; it was left as it is", path), "--listen unix:///run/agentkeys-broker/http.sock")
	}
	d := net.Dialer{Timeout: time.Second}
	c, err := d.DialContext(ctx, "unix", path)
	if err == nil {
		return errors.Join(fmt.Errorf("another program answers on %s", path), c.Close())
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return err // with a full queue, for example, the program is still there
	}
	return os.Remove(path)
}

// checkAddress refuses an address over which tokens would be sent unencrypted.
func checkAddress(address string, tls, insecure bool) error {
	if path, ok := socketPath(address); ok {
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
