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

// Names that end in .local are resolved on the local network (RFC 6762). macOS does that for
// every program. On Linux a module of the C library does it, which a static program does not
// have, so this file asks Avahi as that module would (ADR 18).
const (
	avahiSocket = "/run/avahi-daemon/socket"
	avahiTime   = 2 * time.Second // Avahi knows the name already, or learns it after one or two queries
	maxAvahi    = 1 << 10         // bytes of its answer
)

// isLocalName reports whether host has one label before .local. A name with more labels
// belongs to an ordinary domain of that name.
func isLocalName(host string) bool {
	name, ok := strings.CutSuffix(strings.ToLower(strings.TrimSuffix(host, ".")), ".local")
	return ok && name != "" && !strings.Contains(name, ".")
}

// dialLocal dials a name of the local network. It looks in the order of the C library: the
// hosts file, Avahi, DNS.
func (c *Client) dialLocal(ctx context.Context, d net.Dialer, network, host, port string) (net.Conn, error) {
	var unknown error
	if !inHosts(ctx, host) {
		var to netip.Addr
		if to, unknown = askAvahi(ctx, c.avahi, host); unknown == nil {
			host = to.String()
		}
	}
	conn, err := d.DialContext(ctx, network, net.JoinHostPort(host, port))
	var notFound *net.DNSError
	if unknown != nil && errors.As(err, &notFound) {
		return nil, fmt.Errorf("%w; %w", err, unknown)
	}
	return conn, err
}

var errNoDNS = errors.New("only the file of hosts is asked")

func inHosts(ctx context.Context, host string) bool {
	r := net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) { return nil, errNoDNS }}
	all, err := r.LookupHost(ctx, host)
	return err == nil && len(all) > 0
}

// askAvahi asks the Avahi daemon at the socket for the IPv4 address of a name:
// "RESOLVE-HOSTNAME-IPV4 name", answered by "+ interface protocol name address" or by
// "-code text". Avahi answers for an unknown name after 5 s; avahiTime ends the wait earlier.
func askAvahi(ctx context.Context, socket, host string) (netip.Addr, error) {
	ctx, cancel := context.WithTimeout(ctx, avahiTime)
	defer cancel()
	if strings.ContainsFunc(host, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return netip.Addr{}, errors.New("a name in .local has only ASCII letters")
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
		return netip.Addr{}, fmt.Errorf("avahi does not know %s: no answer: %w", host, err)
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
