package brokerclient

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/agentkeys/agentkeys/internal/protocol"
)

var errNoCertificate = errors.New("no certificate was shown")

// tlsConfig leaves the whole verification to verify: a board without a battery clock must not
// lose its broker because the standard library compares certificates with a wrong time
// (docs/spec/architecture.md#clocks-and-certificates).
func (c *Client) tlsConfig() *tls.Config {
	return &tls.Config{
		MinVersion:         tls.VersionTLS12,
		InsecureSkipVerify: true, //nolint:gosec // verify decides instead, on every connection, resumed ones too
		VerifyConnection: func(state tls.ConnectionState) error {
			if err := c.verify(state.PeerCertificates); err != nil {
				return fmt.Errorf("%w: %w", protocol.ErrCertificate, err)
			}
			return nil
		},
	}
}

func (c *Client) verify(shown []*x509.Certificate) error {
	if len(shown) == 0 {
		return errNoCertificate
	}
	if len(c.at.pins) > 0 {
		return verifyPin(shown[0], c.at.pins)
	}
	return c.verifyChain(shown)
}

// verifyPin checks the key alone, neither names nor dates. The handshake has proved that the
// broker holds the private key of the first certificate.
func verifyPin(leaf *x509.Certificate, pins []pin) error {
	sum := sha256.Sum256(leaf.RawSubjectPublicKeyInfo)
	if slices.Contains(pins, pin(sum)) {
		return nil
	}
	return fmt.Errorf("its key is %s%s, which the URL does not name", pinPrefix, base64.RawURLEncoding.EncodeToString(sum[:]))
}

func (c *Client) verifyChain(shown []*x509.Certificate) error {
	between := x509.NewCertPool()
	for _, cert := range shown[1:] {
		between.AddCert(cert)
	}
	_, err := shown[0].Verify(x509.VerifyOptions{
		DNSName: c.at.host, Roots: c.cfg.Roots, Intermediates: between,
		CurrentTime: c.verificationTime(shown),
	})
	if err == nil && c.cfg.ObserveLeaf != nil {
		c.cfg.ObserveLeaf(shown[0].NotBefore)
	}
	if err != nil && bytes.Equal(shown[0].RawIssuer, shown[0].RawSubject) {
		return protocol.ErrUnpinned // a self-signed certificate has no chain to complain about
	}
	return err
}

// verificationTime is the time at which a chain is checked: now, but not before a time that
// is certainly past: the floor, the date of this program, and the start of the chain's validity.
func (c *Client) verificationTime(shown []*x509.Certificate) time.Time {
	at := later(c.cfg.Now(), c.cfg.Built)
	if c.cfg.Floor != nil {
		at = later(at, c.cfg.Floor())
	}
	for _, cert := range shown {
		at = later(at, cert.NotBefore)
	}
	return at
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
