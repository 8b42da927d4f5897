package main

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"regexp"

	"github.com/agentkeys/agentkeys/internal/cli"
)

var hostPattern = regexp.MustCompile(`\A[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?\z`)

// checkHost accepts a name or an address without port, as the host in a URL.
func checkHost(host string) error {
	ok := hostPattern.MatchString(host)
	if a, err := netip.ParseAddr(host); err == nil {
		ok = a.Zone() == "" && !a.IsUnspecified()
	}
	if !ok {
		return cli.Usage(fmt.Sprintf("%q is no name or address of a machine", host), "--url-host mini.local")
	}
	return nil
}

// urlHost is the host for other machines: what the person named, else the address of the listener,
// else, if that is every address, the name of this machine, which is guessed.
func urlHost(named, address string) (host string, guessed bool, err error) {
	if named != "" {
		return named, false, nil
	}
	if host, _, err = net.SplitHostPort(address); err != nil {
		return "", false, fmt.Errorf("listen: %w", err)
	}
	if a, err := netip.ParseAddr(host); host != "" && (err != nil || !a.IsUnspecified()) {
		return host, false, nil
	}
	if host, err = os.Hostname(); err == nil && host != "localhost" && checkHost(host) == nil {
		return host, true, nil
	}
	return "", false, cli.Usage("this machine has no name that others could use", "--url-host NAME")
}

// addresses are the addresses of this machine, for a network that does not know its name.
func addresses() ([]string, error) {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return nil, fmt.Errorf("list addresses: %w", err)
	}
	var out []string
	for _, a := range all {
		if ip, ok := a.(*net.IPNet); ok && ip.IP.IsGlobalUnicast() {
			out = append(out, ip.IP.String())
		}
	}
	if len(out) == 0 {
		return nil, errors.New("list addresses: there is none but loopback")
	}
	return out, nil
}
