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

// checkHost accepts what may stand in a URL for a machine: a name or an address,
// without port.
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

// urlHost is the host that other machines are given: what the person named, else what
// was listened on, else, where that is every address, this machine's name: guessed.
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

// addresses are this machine's own, for a network that does not know its name.
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
