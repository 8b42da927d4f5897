package main

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/agentkeys/agentkeys/internal/broker/datadir"
	"github.com/agentkeys/agentkeys/internal/broker/metrics"
)

// certificateLook is how often the files of the certificate are read again.
const certificateLook = 2 * time.Second

var (
	errKeyGone  = errors.New("the file is gone: put it back from a backup; a start without it makes another key, and every owner and board then needs the new URL")
	errKeyOther = errors.New("the file holds another key than the one that boards know: put the old one back; a start takes this one, and every owner and board then needs the new URL")
	errNoFile   = errors.New("not a regular file")
)

// fingerprint identifies the content of the files that were read.
type fingerprint [sha256.Size]byte

// certificate is the certificate of the listener. It follows its files while the broker runs; a
// certificate that cannot be used never replaces the one in use.
type certificate struct {
	read  func() (*tls.Certificate, fingerprint, error) // a nil certificate: the current one is still valid
	files []any                                         // for the log
	ends  bool                                          // it has an expiry date
	log   *slog.Logger

	look sync.Mutex // one look at a time; guards failed
	last string     // why the last look failed; empty: it succeeded

	mu      sync.Mutex
	shown   *tls.Certificate
	taken   fingerprint
	problem string // why the content of the files is not used; empty: it is
}

// newCertificate reads the certificate for the first time.
func newCertificate(c *certificate) (*certificate, error) {
	var err error
	if c.shown, c.taken, err = c.read(); err != nil {
		return nil, fmt.Errorf("load certificate: %w", err)
	}
	return c, nil
}

// fileCertificate is the certificate in two PEM files.
func fileCertificate(cert, key string, log *slog.Logger) (*certificate, error) {
	read := func() (*tls.Certificate, fingerprint, error) { return readPair(cert, key) }
	return newCertificate(&certificate{read: read, log: log, ends: true, files: []any{"certificate", cert, "key", key}})
}

func readPair(cert, key string) (*tls.Certificate, fingerprint, error) {
	var none fingerprint
	chain, err := readRegular(cert)
	if err != nil {
		return nil, none, err
	}
	private, err := readRegular(key)
	if err != nil {
		return nil, none, err
	}
	pair, err := tls.X509KeyPair(chain, private)
	if err != nil {
		return nil, none, fmt.Errorf("%s, %s: %w", cert, key, err)
	}
	return &pair, sha256.Sum256(append(append(chain, 0), private...)), nil
}

// readRegular reads regular files only: reading a FIFO would block and consume its content.
func readRegular(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: %w", path, errNoFile)
	}
	return os.ReadFile(path)
}

// ownCertificate is made from the broker's own key. Boards recognise the broker by that key, so a
// running broker never takes up a file with another key.
func ownCertificate(dir datadir.Dir, host string, log *slog.Logger) (c *certificate, pin string, err error) {
	key, err := dir.TLSKey()
	if err != nil {
		return nil, "", err
	}
	if pin, err = pinOf(key); err != nil {
		return nil, "", err
	}
	pair, err := selfSigned(key, host)
	if err != nil {
		return nil, "", err
	}
	first, err := dir.CopyTLSKey()
	if err != nil {
		return nil, "", err
	}
	read := func() (*tls.Certificate, fingerprint, error) {
		text, err := dir.CopyTLSKey()
		switch {
		case err != nil:
			return nil, fingerprint{}, err
		case text.IsZero():
			return nil, fingerprint{}, fmt.Errorf("%s: %w", dir.TLSKeyPath(), errKeyGone)
		case !text.Equal(first):
			return nil, fingerprint{}, fmt.Errorf("%s: %w", dir.TLSKeyPath(), errKeyOther)
		}
		return &pair, fingerprint{}, nil
	}
	c, err = newCertificate(&certificate{read: read, log: log, files: []any{"key", dir.TLSKeyPath()}})
	return c, pin, err
}

// get is tls.Config's GetCertificate.
func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.shown, nil
}

// again reads the files. A failure counts if it occurs twice, or at once if a person asked for the
// reload: a new certificate and its key are written one after the other.
func (c *certificate) again(asked bool) {
	c.look.Lock()
	defer c.look.Unlock()
	pair, read, err := c.read()
	before := c.last
	if c.last = ""; err != nil {
		c.last = err.Error()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case err == nil && read == c.taken && c.problem != "":
		c.log.Info("the files hold the certificate that is served again", c.files...)
	case err == nil && read != c.taken:
		c.shown, c.taken = pair, read
		c.log.Info("another certificate is served", append(c.files, "not_after", pair.Leaf.NotAfter.UTC().Format(time.RFC3339))...)
	case err != nil && (asked || before != "") && c.problem != c.last:
		c.problem = c.last
		c.log.Error("the certificate of before goes on: what is in the files cannot be used", "error", err)
	}
	if err == nil {
		c.problem = ""
	}
}

// watch reads them regularly until ctx ends.
func (c *certificate) watch(ctx context.Context) {
	tick := time.NewTicker(certificateLook)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			c.again(false)
		}
	}
}

// state is for the metrics. A nil certificate has none.
func (c *certificate) state() metrics.Certificate {
	if c == nil {
		return metrics.Certificate{}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	s := metrics.Certificate{Problem: c.problem}
	if c.ends {
		s.NotAfter = c.shown.Leaf.NotAfter
	}
	return s
}
