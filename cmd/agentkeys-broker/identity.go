package main

import (
	"crypto/tls"
	"log/slog"
	"net"
	"net/url"

	"github.com/agentkeys/agentkeys/internal/broker/datadir"
	"github.com/agentkeys/agentkeys/internal/unixsocket"
)

// identity is how clients recognise the listener. The zero value is plain HTTP.
type identity struct {
	config *tls.Config
	shown  *certificate
	host   string // for the URL; empty: the address of the listener
	pin    string // for the URL; empty: a certificate authority has signed the certificate

	guessed bool // host is the name that this machine has for itself
}

// loadIdentity reads the certificate that o names, or makes one from dir's own key.
func loadIdentity(o options, dir datadir.Dir, log *slog.Logger) (identity, error) {
	if !o.encrypted() {
		return identity{}, nil
	}
	var id identity
	if _, socket := unixsocket.Path(o.listen); !socket {
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

// url is the URL by which clients reach the listener.
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

// noteAddresses logs the addresses that may replace the name in the URL if the boards' network does
// not know it. With a pin any of them can be used.
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
