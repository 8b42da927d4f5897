package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/agentkeys/agentkeys/internal/broker/brokertest"
)

// newPair writes a self-signed one for 127.0.0.1.
func newPair(t *testing.T) (cert, key string, pool *x509.CertPool) {
	t.Helper()
	private := brokertest.Must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))(t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der := brokertest.Must(x509.CreateCertificate(rand.Reader, template, template, private.Public(), private))(t)
	keyDER := brokertest.Must(x509.MarshalPKCS8PrivateKey(private))(t)
	dir := t.TempDir()
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for path, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: keyDER}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	pool = x509.NewCertPool()
	pool.AddCert(brokertest.Must(x509.ParseCertificate(der))(t))
	return cert, key, pool
}

func TestServeTLS(t *testing.T) {
	t.Parallel()
	cert, key, pool := newPair(t)
	r := start(t, "--listen", "127.0.0.1:0", "--data", filepath.Join(t.TempDir(), "data"), "--tls-cert", cert, "--tls-key", key)
	if !strings.HasPrefix(r.url, "https://127.0.0.1:") {
		t.Errorf("announced %s", r.url)
	}
	client := http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: true}}
	res := brokertest.Must(client.Get(r.url + "/v1/info"))(t)
	if err := res.Body.Close(); err != nil || res.StatusCode != 200 || res.ProtoMajor != 2 {
		t.Error(res.StatusCode, res.Proto, err)
	}
	client.CloseIdleConnections()
	r.end(t)
}

func TestServeSelfSigned(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	args := []string{"--data", data, "--tls", "self-signed", "--listen", "127.0.0.1:0"}
	r := start(t, args...)
	base, pin, _ := strings.Cut(r.url, "#")
	if !strings.HasPrefix(base, "https://127.0.0.1:") || !strings.HasPrefix(pin, "spki-sha256-") {
		t.Fatalf("announced %s", r.url)
	}
	var shown *x509.Certificate
	client := http.Client{Transport: &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{
		InsecureSkipVerify: true,
		VerifyConnection:   func(s tls.ConnectionState) error { shown = s.PeerCertificates[0]; return nil },
	}}}
	res := brokertest.Must(client.Get(base + "/v1/info"))(t)
	if err := res.Body.Close(); err != nil || res.StatusCode != 200 || res.ProtoMajor != 2 {
		t.Error(res.StatusCode, res.Proto, err)
	}
	client.CloseIdleConnections()
	if err := shown.VerifyHostname("127.0.0.1"); err != nil {
		t.Error(err)
	}
	for _, when := range []time.Time{time.Date(2021, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2190, 1, 1, 0, 0, 0, 0, time.UTC)} {
		if when.Before(shown.NotBefore) || when.After(shown.NotAfter) {
			t.Errorf("not good in %d", when.Year())
		}
	}
	r.end(t)

	again := start(t, append(args, "--url-host", "mini.local")...)
	if _, now, _ := strings.Cut(again.url, "#"); now != pin || !strings.HasPrefix(again.url, "https://mini.local:") {
		t.Errorf("announced %s, before #%s", again.url, pin)
	}
	again.end(t)
}

// What a person pastes on a board must be a place, not the wildcard that was listened on.
func TestTheURLOfABrokerThatListensEverywhere(t *testing.T) {
	t.Parallel()
	own := brokertest.Must(os.Hostname())(t)
	for address, want := range map[string]struct {
		named, host string
		guessed     bool
	}{
		"0.0.0.0:8420":    {host: own, guessed: true},
		"[::]:8420":       {host: own, guessed: true},
		":0":              {host: own, guessed: true},
		":8420":           {named: "mini.local", host: "mini.local"},
		"192.0.2.1:8420":  {host: "192.0.2.1"},
		"[2001:db8::1]:1": {host: "2001:db8::1"},
		"mini.local:8420": {host: "mini.local"},
	} {
		host, guessed, err := urlHost(want.named, address)
		if err != nil || host != want.host || guessed != want.guessed {
			t.Errorf("%s: %s %v %v", address, host, guessed, err)
		}
	}
	id := identity{config: &tls.Config{}, host: "2001:db8::1", pin: "spki-sha256-x"}
	if got := id.url(&net.TCPAddr{IP: net.IPv6zero, Port: 8420}); got != "https://[2001:db8::1]:8420#spki-sha256-x" {
		t.Error(got)
	}
}
