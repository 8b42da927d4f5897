package main

import (
	"crypto/tls"
	"log/slog"
	"net"
	"net/url"

	"github.com/agentkeys/agentkeys/internal/broker/datadir"
)

// identity is how the listener is known to clients; the zero value speaks plain HTTP.
type identity struct {
	config *tls.Config
	shown  *certificate
	host   string // of the URL; empty: the address that is listened on
	pin    string // of the URL; empty: an authority vouches

	guessed bool // host is this machine's own idea of its name
}

// loadIdentity reads the certificate that o names, or makes one of dir's own key.
func loadIdentity(o options, dir datadir.Dir, log *slog.Logger) (identity, error) {
	if !o.encrypted() {
		return identity{}, nil
	}
	var id identity
	if _, socket := socketPath(o.listen); !socket {
		var err error
		if id.host, id.guessed, err = urlHost(o.urlHost, o.listen); err != nil {
			return identity{}, err
		}
	}
	var err error
	if o.selfSigned() {
		id.shown, id.pin, err = ownCertificate(dir, id.host, log)
	} else {
		id.shown, err = fileCertificate(o.cert, o.key, log)
	}
	if err != nil {
		return identity{}, err
	}
	id.config = &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: id.shown.get}
	return id, nil
}

// url is what a client is given to reach the listener.
func (id identity) url(at net.Addr) string {
	if at.Network() == "unix" {
		return "unix://" + at.String()
	}
	if id.config == nil {
		return urlOf("http", at.String())
	}
	_, port, err := net.SplitHostPort(at.String())
	if err != nil {
		return urlOf("https", at.String())
	}
	shown := urlOf("https", net.JoinHostPort(id.host, port))
	if id.pin != "" {
		shown += "#" + id.pin
	}
	return shown
}

// noteAddresses names what may stand in the URL in the place of a name that the boards'
// network does not know: with a pin any of them is good.
func (id identity) noteAddresses(log *slog.Logger) {
	if !id.guessed || id.pin == "" {
		return
	}
	if all, err := addresses(); err == nil {
		log.Info("a board that does not find this name may use an address in its place; --url-host changes the name", "host", id.host, "addresses", all)
	}
}

// urlOf writes a URL without a path. A zone in host is escaped (RFC 6874).
func urlOf(scheme, host string) string {
	at := url.URL{Scheme: scheme, Host: host}
	return at.String()
}
