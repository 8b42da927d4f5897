package brokerclient

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"time"
)

// Names that end in .local are asked for on the local network (RFC 6762). macOS
// resolves them for every program. On Linux that is a module of the C library, which a
// static program does not have; so Avahi is asked here, as the module would (ADR 18).
const (
	avahiSocket = "/run/avahi-daemon/socket"
	avahiTime   = 5 * time.Second
	maxAvahi    = 1 << 10 // bytes of its answer
)

func isLocalName(host string) bool {
	return strings.HasSuffix(strings.ToLower(strings.TrimSuffix(host, ".")), ".local")
}

// dialLocal dials a name of the local network. The order is the platform's: the file of
// hosts, Avahi, DNS.
func (c *Client) dialLocal(ctx context.Context, d net.Dialer, network, host, port string) (net.Conn, error) {
	if to, err := inHosts(ctx, host); err == nil {
		return d.DialContext(ctx, network, net.JoinHostPort(to, port))
	}
	to, unknown := askAvahi(ctx, c.avahi, host)
	if unknown == nil {
		return d.DialContext(ctx, network, net.JoinHostPort(to.String(), port))
	}
	conn, err := d.DialContext(ctx, network, net.JoinHostPort(host, port))
	if err != nil {
		return nil, fmt.Errorf("%w; %w", err, unknown)
	}
	return conn, nil
}

var errNoDNS = errors.New("only the file of hosts is asked")

func inHosts(ctx context.Context, host string) (string, error) {
	r := net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) { return nil, errNoDNS }}
	all, err := r.LookupHost(ctx, host)
	if err != nil || len(all) == 0 {
		return "", errNoDNS
	}
	return all[0], nil
}

// askAvahi asks the daemon behind the socket for the IPv4 address of a name:
// "RESOLVE-HOSTNAME-IPV4 name", answered by "+ interface protocol name address" or by
// "-code text".
func askAvahi(ctx context.Context, socket, host string) (netip.Addr, error) {
	ctx, cancel := context.WithTimeout(ctx, avahiTime)
	defer cancel()
	if strings.ContainsFunc(host, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return netip.Addr{}, fmt.Errorf("%w: a name in .local has only ASCII letters", ErrURL)
	}
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", socket)
	if err != nil {
		return netip.Addr{}, fmt.Errorf("names in .local need avahi-daemon on this machine: %w", err)
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if _, err := fmt.Fprintf(conn, "RESOLVE-HOSTNAME-IPV4 %s\n", host); err != nil {
		return netip.Addr{}, fmt.Errorf("ask avahi: %w", err)
	}
	line, err := bufio.NewReader(io.LimitReader(conn, maxAvahi)).ReadString('\n')
	if err != nil {
		return netip.Addr{}, fmt.Errorf("avahi does not answer for %s: %w", host, err)
	}
	return avahiAnswer(host, line)
}

func avahiAnswer(host, line string) (netip.Addr, error) {
	fields := strings.Fields(line)
	if len(fields) == 5 && fields[0] == "+" {
		if a, err := netip.ParseAddr(fields[4]); err == nil && a.Is4() {
			return a, nil
		}
	}
	return netip.Addr{}, fmt.Errorf("avahi does not know %s: %.100q", host, strings.TrimSpace(line))
}
