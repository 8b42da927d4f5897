package brokerclient

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/netip"
	"net/url"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// ErrURL says that a text is no URL of a broker; a usage error (exit 64). It never repeats
// the text, which may be something else that a person pasted by mistake.
var ErrURL = errors.New("not a broker's URL")

// URLError is an ErrURL with the URL that was probably meant.
type URLError struct{ What, Meant string }

func (e *URLError) Error() string { return ErrURL.Error() + ": " + e.What }

// Is makes errors.Is(err, ErrURL) true.
func (e *URLError) Is(target error) bool { return target == ErrURL }

// anyURL stands for what was meant where the text must not be repeated.
const anyURL = "https://HOST:8420"

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

// CanonicalURL is the URL text in the one form that is kept and compared: scheme and host in
// lower case, no slash at the end. *URLError, unless New accepts text.
func CanonicalURL(text string) (string, error) {
	e, err := parseURL(text)
	if err != nil {
		return "", err
	}
	if e.socket != "" {
		return "unix://" + e.socket, nil
	}
	if _, pins, pinned := strings.Cut(text, "#"); pinned {
		return e.base + "#" + pins, nil
	}
	return e.base, nil
}

// parseURL accepts https://host[:port][/path][#spki-sha256-..,..], http:// to this
// machine only, and unix:///path/of/the/socket.
func parseURL(text string) (endpoint, error) {
	if meant := withoutScheme(text); meant != "" {
		return endpoint{}, &URLError{What: "the scheme is missing", Meant: meant}
	}
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
	if port := u.Port(); port != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return endpoint{}, bad("its port is none")
		}
	}
	at := url.URL{Scheme: u.Scheme, Host: lowerHost(u.Host)} // escapes a zone
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

func bad(why string) error { return &URLError{What: why, Meant: anyURL} }

// hostPort matches a host with its port, as people type it: an address, localhost, or a name
// with a dot. A name and a password have no such form.
var hostPort = regexp.MustCompile(`(?i)\A(localhost|[a-z0-9-]+(\.[a-z0-9-]+)+|\[[0-9a-f:.]+\]):[0-9]{1,5}\z`)

// withoutScheme is the URL that is meant by a host with its port; empty for any other text.
func withoutScheme(text string) string {
	if !hostPort.MatchString(text) {
		return ""
	}
	host := text[:strings.LastIndex(text, ":")]
	if isLoopback(strings.Trim(host, "[]")) {
		return "http://" + text
	}
	return "https://" + text
}

// lowerHost leaves the name of a zone, which is an interface's, as it is.
func lowerHost(host string) string {
	name, zone, _ := strings.Cut(host, "%")
	return strings.ToLower(name) + host[len(name):len(host)-len(zone)] + zone
}
