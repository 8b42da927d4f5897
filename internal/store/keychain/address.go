package keychain

import (
	"encoding/hex"
	"errors"
	"path/filepath"
	"strings"
)

const (
	busVariable     = "DBUS_SESSION_BUS_ADDRESS"
	runtimeVariable = "XDG_RUNTIME_DIR"
)

// endpoint is one place where a session bus listens.
type endpoint struct {
	socket  string // for net.Dial "unix": a path, or @name for an abstract socket
	address string // as D-Bus spells it, for the child
}

// errNoAddress: the environment names no session bus that can be used. No program is started
// to get one (autolaunch, unixexec), and no other transport than a unix socket is used.
var errNoAddress = errors.New("no session bus address")

// endpoints are to be tried in order. If the variable is set, it alone counts, even when it
// names no bus that can be used: its value says which bus is meant.
func endpoints(getenv func(string) string) ([]endpoint, error) {
	if text := getenv(busVariable); text != "" {
		return parseAddresses(text)
	}
	dir := getenv(runtimeVariable)
	if !filepath.IsAbs(dir) {
		return nil, errNoAddress
	}
	return []endpoint{pathEndpoint(filepath.Join(dir, "bus"))}, nil
}

// parseAddresses reads the unix sockets of a list (D-Bus specification, "Server
// Addresses") and passes over everything else.
func parseAddresses(text string) ([]endpoint, error) {
	var found []endpoint
	for entry := range strings.SplitSeq(text, ";") {
		transport, options, _ := strings.Cut(entry, ":")
		if transport != "unix" {
			continue
		}
		if e, ok := parseUnix(options); ok {
			found = append(found, e)
		}
	}
	if len(found) == 0 {
		return nil, errNoAddress
	}
	return found, nil
}

func parseUnix(options string) (endpoint, bool) {
	for option := range strings.SplitSeq(options, ",") {
		key, escaped, _ := strings.Cut(option, "=")
		value, ok := unescape(escaped)
		if !ok || value == "" || strings.ContainsRune(value, 0) {
			continue
		}
		switch {
		case key == "path" && filepath.IsAbs(value):
			return pathEndpoint(value), true
		case key == "abstract":
			return endpoint{"@" + value, "unix:abstract=" + escape(value)}, true
		}
	}
	return endpoint{}, false
}

func pathEndpoint(path string) endpoint { return endpoint{path, "unix:path=" + escape(path)} }

func unescape(s string) (string, bool) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			b.WriteByte(s[i])
			continue
		}
		if i+3 > len(s) {
			return "", false
		}
		c, err := hex.DecodeString(s[i+1 : i+3])
		if err != nil {
			return "", false
		}
		b.WriteByte(c[0])
		i += 2
	}
	return b.String(), true
}

func escape(s string) string {
	const unescaped = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_/.\\*"
	var b strings.Builder
	for i := range len(s) {
		if strings.IndexByte(unescaped, s[i]) >= 0 {
			b.WriteByte(s[i])
			continue
		}
		b.WriteByte('%')
		b.WriteString(hex.EncodeToString([]byte{s[i]}))
	}
	return b.String()
}
