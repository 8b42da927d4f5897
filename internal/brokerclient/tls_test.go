package brokerclient_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"errors"
	"io"
	"log"
	"math/big"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/agentkeys/agentkeys/internal/brokerclient"
	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/session"
)

const day = 24 * time.Hour

// authority signs certificates for tests.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T, from time.Time) authority {
	t.Helper()
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test CA"},
		NotBefore: from, NotAfter: from.Add(20 * 365 * day),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	a := authority{key: newKey(t)}
	a.cert = parse(t, ca, ca, a.key, a.key)
	return a
}

func (a authority) pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(a.cert)
	return p
}

// leaf is a certificate for name, valid for 90 days.
func (a authority) leaf(t *testing.T, name string, from time.Time) tls.Certificate {
	t.Helper()
	key := newKey(t)
	cert := parse(t, &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: from, NotAfter: from.Add(90 * day),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, a.cert, key, a.key)
	return tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key, Leaf: cert}
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func parse(t *testing.T, template, parent *x509.Certificate, key, signer *ecdsa.PrivateKey) *x509.Certificate {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func pinOf(c tls.Certificate) string {
	sum := sha256.Sum256(c.Leaf.RawSubjectPublicKeyInfo)
	return "spki-sha256-" + base64.RawURLEncoding.EncodeToString(sum[:])
}

// serveTLS answers on 127.0.0.1, reached as https://localhost.
func serveTLS(t *testing.T, cert tls.Certificate) (url string) {
	t.Helper()
	s := httptest.NewUnstartedServer(reply(200, "application/json", sessionJSON))
	s.EnableHTTP2 = true
	s.TLS = &tls.Config{Certificates: []tls.Certificate{cert}}
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	_, port, _ := cutLast(s.URL, ":")
	return "https://localhost:" + port
}

func cutLast(s, sep string) (before, after string, ok bool) {
	for i := len(s) - len(sep); i >= 0; i-- {
		if s[i:i+len(sep)] == sep {
			return s[:i], s[i+len(sep):], true
		}
	}
	return s, "", false
}

func TestWhichCertificateIsTheBrokers(t *testing.T) {
	t.Parallel()
	today := time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC)
	ca, stranger := newAuthority(t, today.Add(-1000*day)), newAuthority(t, today.Add(-1000*day))
	fresh := ca.leaf(t, "localhost", today.Add(-10*day))
	expired := ca.leaf(t, "localhost", today.Add(-200*day))
	elsewhere := ca.leaf(t, "other.example", today.Add(-10*day))
	foreign := stranger.leaf(t, "localhost", today.Add(-10*day))

	tests := map[string]struct {
		cert       tls.Certificate
		now, floor time.Time
		pins       string
		ok         bool
	}{
		"a good chain":        {cert: fresh, now: today, ok: true},
		"expired":             {cert: expired, now: today},
		"another host's":      {cert: elsewhere, now: today},
		"another authority's": {cert: foreign, now: today},
		"the clock says 1970": {cert: fresh, now: time.Unix(0, 0), ok: true},
		"the clock says 1970, another authority's": {cert: foreign, now: time.Unix(0, 0)},
		"the clock says 1970, another host's":      {cert: elsewhere, now: time.Unix(0, 0)},
		"the clock is before the chain":            {cert: fresh, now: today.Add(-100 * day), ok: true},
		"clock 1970, floor within":                 {cert: fresh, now: time.Unix(0, 0), floor: today, ok: true},
		"clock 1970, expired before the floor":     {cert: expired, now: time.Unix(0, 0), floor: today},
		"the clock is ten years ahead":             {cert: fresh, now: today.Add(3650 * day)},
		"pinned":                                   {cert: fresh, now: today, pins: pinOf(fresh), ok: true},
		"pinned: dates are not looked at":          {cert: expired, now: today, pins: pinOf(expired), ok: true},
		"pinned: the clock says 2090":              {cert: fresh, now: today.AddDate(63, 0, 0), pins: pinOf(fresh), ok: true},
		"pinned: nor names, nor authorities":       {cert: foreign, now: time.Unix(0, 0), pins: pinOf(foreign), ok: true},
		"one of several pins":                      {cert: fresh, now: today, pins: pinOf(expired) + "," + pinOf(fresh), ok: true},
		"a wrong pin, though the chain is good":    {cert: fresh, now: today, pins: pinOf(expired)},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, seen := tlsClient(t, tt.cert, ca, tt.now, tt.floor, tt.pins)
			_, err := c.Session(t.Context(), session.NewToken())
			if tt.ok {
				check(t, err, "ok")
			} else if check(t, err, ""); !errors.Is(err, protocol.ErrCertificate) || errors.Is(err, protocol.ErrUnpinned) {
				t.Errorf("not named as the certificate's fault: %v", err)
			}
			if vouched := tt.ok && tt.pins == ""; vouched != seen.Equal(tt.cert.Leaf.NotBefore) {
				t.Errorf("told the floor %v", seen)
			}
		})
	}
}

// tlsClient connects to a server with cert; seen is what ObserveLeaf was told.
func tlsClient(t *testing.T, cert tls.Certificate, ca authority, now, floor time.Time, pins string) (c *brokerclient.Client, seen *time.Time) {
	t.Helper()
	url := serveTLS(t, cert)
	if pins != "" {
		url += "#" + pins
	}
	seen = new(time.Time)
	return client(t, brokerclient.Config{
		URL: url, Roots: ca.pool(),
		Now:         func() time.Time { return now },
		Floor:       func() time.Time { return floor },
		ObserveLeaf: func(notBefore time.Time) { *seen = notBefore },
	}), seen
}

func TestACertificateThatExpiredBeforeTheProgramWasBuiltIsRefused(t *testing.T) {
	t.Parallel()
	today := time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC)
	ca := newAuthority(t, today.Add(-1000*day))
	expired := ca.leaf(t, "localhost", today.Add(-200*day))
	for name, tt := range map[string]struct {
		built time.Time
		ok    bool
	}{"built after": {today.Add(-day), false}, "built before": {today.Add(-190 * day), true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := client(t, brokerclient.Config{
				URL: serveTLS(t, expired), Roots: ca.pool(), Built: tt.built,
				Now: func() time.Time { return time.Unix(0, 0) },
			})
			_, err := c.Session(t.Context(), session.NewToken())
			if errors.Is(err, protocol.ErrCertificate) == tt.ok {
				t.Fatal(err)
			}
		})
	}
}

func TestASelfSignedBrokerNeedsAPin(t *testing.T) {
	t.Parallel()
	key := newKey(t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(3), DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-day), NotAfter: time.Now().Add(day),
	}
	leaf := parse(t, template, template, key, key)
	cert := tls.Certificate{Certificate: [][]byte{leaf.Raw}, PrivateKey: key, Leaf: leaf}
	url := serveTLS(t, cert)
	_, err := client(t, brokerclient.Config{URL: url}).Session(t.Context(), session.NewToken())
	if check(t, err, ""); !errors.Is(err, protocol.ErrCertificate) || !errors.Is(err, protocol.ErrUnpinned) {
		t.Error(err)
	}
	_, err = client(t, brokerclient.Config{URL: url + "#" + pinOf(cert)}).Session(t.Context(), session.NewToken())
	check(t, err, "ok")
}

func TestABrokerWithoutTLSIsAwayButNotChanged(t *testing.T) {
	t.Parallel()
	url := serve(t, reply(200, "application/json", sessionJSON))
	_, err := client(t, brokerclient.Config{URL: "https" + url[len("http"):]}).Session(t.Context(), session.NewToken())
	if check(t, err, ""); errors.Is(err, protocol.ErrCertificate) {
		t.Error(err)
	}
}
