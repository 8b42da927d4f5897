package main

import (
	"crypto/tls"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/agentkeys/agentkeys/internal/broker/brokertest"
	"github.com/agentkeys/agentkeys/internal/broker/datadir"
)

// pairFiles are a certificate and its key as a program for renewals leaves them.
type pairFiles struct {
	t         *testing.T
	cert, key string
}

func (p pairFiles) copy(from, to string) {
	p.t.Helper()
	if err := os.WriteFile(to, brokertest.Must(os.ReadFile(from))(p.t), 0o600); err != nil {
		p.t.Fatal(err)
	}
}

func (p pairFiles) rename(from, to string) {
	p.t.Helper()
	p.copy(from, to+".new")
	if err := os.Rename(to+".new", to); err != nil {
		p.t.Fatal(err)
	}
}

// link gives to the target from, as certbot's live/ points into its archive/.
func (p pairFiles) link(from, to string) {
	p.t.Helper()
	if err := os.Symlink(from, to+".new"); err != nil {
		p.t.Fatal(err)
	}
	if err := os.Rename(to+".new", to); err != nil {
		p.t.Fatal(err)
	}
}

// served is the leaf that a certificate shows now.
func served(t *testing.T, c *certificate) string {
	t.Helper()
	shown := brokertest.Must(c.get(nil))(t)
	return string(shown.Certificate[0])
}

func TestACertificateFollowsItsFiles(t *testing.T) {
	t.Parallel()
	for name, replace := range map[string]func(p pairFiles, cert, key string){
		"written over":                func(p pairFiles, cert, key string) { p.copy(cert, p.cert); p.copy(key, p.key) },
		"renamed over":                func(p pairFiles, cert, key string) { p.rename(cert, p.cert); p.rename(key, p.key) },
		"a link to another file":      func(p pairFiles, cert, key string) { p.link(cert, p.cert); p.link(key, p.key) },
		"a link, the key first":       func(p pairFiles, cert, key string) { p.link(key, p.key); p.link(cert, p.cert) },
		"written, the link before it": func(p pairFiles, cert, key string) { p.link(cert, p.cert); p.copy(key, p.key) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			log := &buffer{}
			cert, key, _ := newPair(t)
			c := brokertest.Must(fileCertificate(cert, key, slog.New(slog.NewTextHandler(log, nil))))(t)
			before := served(t, c)
			next, nextKey, _ := newPair(t)
			replace(pairFiles{t, cert, key}, next, nextKey)
			c.again(false)
			if served(t, c) == before || c.state().Problem != "" {
				t.Errorf("the old one is served: %s", log)
			}
			if n := strings.Count(log.String(), "another certificate is served"); n != 1 {
				t.Errorf("told %d times: %s", n, log)
			}
			pair := brokertest.Must(tls.LoadX509KeyPair(next, nextKey))(t)
			if !c.state().NotAfter.Equal(pair.Leaf.NotAfter) {
				t.Errorf("good until %s", c.state().NotAfter)
			}
		})
	}
}

func TestACertificateThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(p pairFiles, otherCert, otherKey string) error{
		"an empty certificate": func(p pairFiles, _, _ string) error { return os.WriteFile(p.cert, nil, 0o600) },
		"half a key":           func(p pairFiles, _, _ string) error { return os.Truncate(p.key, 40) },
		"garbage":              func(p pairFiles, _, _ string) error { return os.WriteFile(p.cert, []byte("no PEM"), 0o600) },
		"another one's key":    func(p pairFiles, _, key string) error { p.copy(key, p.key); return nil },
		"another certificate":  func(p pairFiles, cert, _ string) error { p.copy(cert, p.cert); return nil },
		"a key that is gone":   func(p pairFiles, _, _ string) error { return os.Remove(p.key) },
		"a dangling link": func(p pairFiles, _, _ string) error {
			p.link(filepath.Join(filepath.Dir(p.cert), "none"), p.cert)
			return nil
		},
		"a pipe": func(p pairFiles, _, _ string) error { _ = os.Remove(p.key); return syscall.Mkfifo(p.key, 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			log := &buffer{}
			cert, key, _ := newPair(t)
			c := brokertest.Must(fileCertificate(cert, key, slog.New(slog.NewTextHandler(log, nil))))(t)
			before := served(t, c)
			good := t.TempDir()
			p := pairFiles{t, cert, key}
			p.copy(cert, filepath.Join(good, "cert.pem"))
			p.copy(key, filepath.Join(good, "key.pem"))
			otherCert, otherKey, _ := newPair(t)
			if err := spoil(p, otherCert, otherKey); err != nil {
				t.Fatal(err)
			}
			if c.again(false); log.String() != "" || c.state().Problem != "" {
				t.Errorf("told at the first look, though the other file may be about to come: %s", log)
			}
			for range 3 {
				c.again(false)
			}
			if served(t, c) != before || c.state().Problem == "" || strings.Count(log.String(), "\n") != 1 {
				t.Errorf("problem %q: %s", c.state().Problem, log)
			}
			_, _ = os.Remove(key), os.Remove(cert) // a pipe would take what is written to it
			p.copy(filepath.Join(good, "cert.pem"), cert)
			p.copy(filepath.Join(good, "key.pem"), key)
			if c.again(false); served(t, c) != before || c.state().Problem != "" || strings.Count(log.String(), "\n") != 2 {
				t.Errorf("after it was put right: %q: %s", c.state().Problem, log)
			}
			p.copy(otherCert, cert)
			if c.again(true); c.state().Problem == "" {
				t.Error("who asks for a reload is not told at once")
			}
			p.copy(otherKey, key)
			if c.again(false); served(t, c) == before || c.state().Problem != "" {
				t.Errorf("the pair that is whole now is not served: %s", log)
			}
		})
	}
}

// Boards know a self-signed broker by its key: no file takes its place while it runs.
func TestTheKeyOfASelfSignedBrokerStays(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		spoil func(path string) error
		says  string
	}{
		"gone":        {os.Remove, "put it back"},
		"not private": {func(path string) error { return os.Chmod(path, 0o644) }, "0600"},
		"another": {func(path string) error {
			other, err := os.MkdirTemp(filepath.Dir(path), "other")
			if err != nil {
				return err
			}
			dir, err := datadir.Open(other)
			if err != nil {
				return err
			}
			if _, err := dir.TLSKey(); err != nil {
				return err
			}
			return os.Rename(dir.TLSKeyPath(), path)
		}, "every owner and board then needs the new URL"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := brokertest.Must(datadir.Open(filepath.Join(t.TempDir(), "data")))(t)
			shown, _, err := ownCertificate(dir, "mini.local", slog.New(slog.DiscardHandler))
			if err != nil {
				t.Fatal(err)
			}
			before := served(t, shown)
			if err := c.spoil(dir.TLSKeyPath()); err != nil {
				t.Fatal(err)
			}
			shown.again(true)
			if served(t, shown) != before || !strings.Contains(shown.state().Problem, c.says) || !shown.state().NotAfter.IsZero() {
				t.Errorf("%+v", shown.state())
			}
			if _, err := os.Lstat(dir.TLSKeyPath()); name == "gone" && !os.IsNotExist(err) {
				t.Error("another key was made")
			}
		})
	}
}

func TestACertificateIsLookedAtWithoutBeingAsked(t *testing.T) {
	t.Parallel()
	cert, key, _ := newPair(t)
	next, nextKey, _ := newPair(t)
	synctest.Test(t, func(t *testing.T) {
		c := brokertest.Must(fileCertificate(cert, key, slog.New(slog.DiscardHandler)))(t)
		before := served(t, c)
		go c.watch(t.Context())
		p := pairFiles{t, cert, key}
		p.copy(next, cert)
		time.Sleep(time.Minute)
		if served(t, c) != before || c.state().Problem == "" {
			t.Error("half a pair")
		}
		p.copy(nextKey, key)
		time.Sleep(3 * time.Second)
		if served(t, c) == before || c.state().Problem != "" {
			t.Error("the new pair is not served")
		}
	})
}

// leafOf is what a client of the broker is shown.
func leafOf(t *testing.T, url string) string {
	t.Helper()
	d := tls.Dialer{NetDialer: &net.Dialer{}, Config: &tls.Config{InsecureSkipVerify: true}}
	conn := brokertest.Must(d.DialContext(t.Context(), "tcp", strings.TrimPrefix(url, "https://")))(t)
	defer func() { _ = conn.Close() }()
	return string(conn.(*tls.Conn).ConnectionState().PeerCertificates[0].Raw)
}
