package brokerclient

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"path/filepath"
	"strings"
)

// ErrURL says that a text is no URL of a broker; a usage error (exit 64). It never repeats
// the text, which may be something else that a person pasted by mistake.
var ErrURL = errors.New("not a broker's URL")

const pinPrefix = "spki-sha256-"

// pin is the SHA-256 of a certificate's SubjectPublicKeyInfo (RFC 7469).
type pin [sha256.Size]byte

// endpoint is the address of the broker and how it is authenticated.
type endpoint struct {
	base     string // scheme, host and path without the last slash
	host     string // without port; what the certificate must name
	socket   string // path of a unix socket, or empty
	plain    bool   // no TLS
	loopback bool
	pins     []pin
}

// CheckURL returns ErrURL, with the reason, unless New accepts text.
func CheckURL(text string) error {
	_, err := parseURL(text)
	return err
}

// parseURL accepts https://host[:port][/path][#spki-sha256-..,..], http:// to this
// machine only, and unix:///path/of/the/socket.
func parseURL(text string) (endpoint, error) {
	u, err := url.Parse(escapeZone(text))
	if err != nil {
		return endpoint{}, bad("it has a port, escape or character that cannot be") // err repeats the text
	}
	if u.User != nil || u.RawQuery != "" || u.ForceQuery {
		return endpoint{}, bad("it must hold neither a user nor a query")
	}
	switch u.Scheme {
	case "unix":
		return parseUnix(u)
	case "https", "http":
		return parseHTTP(u)
	}
	return endpoint{}, bad("it begins with https://, or on this machine with http:// or unix:///")
}

// escapeZone writes the zone of a link-local address as RFC 6874 wants it, %25eth0. People
// and programs write it as it is: %eth0.
func escapeZone(text string) string {
	open, end := strings.Index(text, "://["), strings.Index(text, "]")
	if open < 0 || end < open {
		return text
	}
	host := strings.ReplaceAll(text[open:end], "%25", "%")
	return text[:open] + strings.ReplaceAll(host, "%", "%25") + text[end:]
}

func parseUnix(u *url.URL) (endpoint, error) {
	if u.Host != "" || !filepath.IsAbs(u.Path) || u.Fragment != "" {
		return endpoint{}, bad("a socket is written unix:///absolute/path")
	}
	return endpoint{base: "http://localhost", host: "localhost", socket: filepath.Clean(u.Path), plain: true, loopback: true}, nil
}

func parseHTTP(u *url.URL) (endpoint, error) {
	e := endpoint{host: u.Hostname(), plain: u.Scheme == "http"}
	if e.host == "" {
		return endpoint{}, bad("the host is missing")
	}
	e.loopback = isLoopback(e.host)
	if e.plain && !e.loopback {
		return endpoint{}, bad("http:// is for this machine only (localhost, 127.0.0.1, [::1]); use https://")
	}
	if e.plain && u.Fragment != "" {
		return endpoint{}, bad("a key pin needs https://")
	}
	at := url.URL{Scheme: u.Scheme, Host: u.Host} // escapes a zone
	e.base = at.String() + strings.TrimRight(u.EscapedPath(), "/")
	var err error
	e.pins, err = parsePins(u.Fragment)
	return e, err
}

func parsePins(fragment string) ([]pin, error) {
	if fragment == "" {
		return nil, nil
	}
	var pins []pin
	for part := range strings.SplitSeq(fragment, ",") {
		text, ok := strings.CutPrefix(part, pinPrefix)
		sum, err := base64.RawURLEncoding.Strict().DecodeString(text)
		if !ok || err != nil || len(sum) != sha256.Size {
			return nil, bad("after # stand key pins, spki-sha256- and 43 characters, separated by commas")
		}
		pins = append(pins, pin(sum))
	}
	return pins, nil
}

func isLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}

func bad(why string) error { return fmt.Errorf("%w: %s", ErrURL, why) }
