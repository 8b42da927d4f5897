package datadir

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/agentkeys/agentkeys/internal/atomicfile"
	"github.com/agentkeys/agentkeys/internal/secret"
)

const (
	tlsKeyName = "tls-key.pem"
	pemKey     = "PRIVATE KEY"
	maxTLSKey  = 16 << 10 // bytes; a key of RSA 4096 has 3 KiB
)

// ErrTLSKey: the key by which owners and boards know this broker exists and cannot be used. A
// person has to restore it, because with another key it is a different broker to them (ADR 12).
var ErrTLSKey = errors.New("the broker's TLS key cannot be used")

// TLSKeyPath is the path of the key that a self-signed broker is known by.
func (d Dir) TLSKeyPath() string { return filepath.Join(d.path, tlsKeyName) }

// TLSKey reads the key of a self-signed broker, and makes it, durably, if there is none yet.
// The caller holds the Lock. An existing file is never replaced: ErrTLSKey.
func (d Dir) TLSKey() (crypto.Signer, error) {
	dir, err := atomicfile.System{}.OpenDir(d.path)
	if err != nil {
		return nil, fmt.Errorf("open data directory: %w", err)
	}
	defer func() { _ = dir.Close() }() // nothing was written to it
	if err := atomicfile.Clean(dir); err != nil {
		return nil, fmt.Errorf("tidy data directory: %w", err)
	}
	key, _, err := d.presentTLSKey(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return makeTLSKey(dir)
	}
	return key, err
}

// presentTLSKey returns fs.ErrNotExist if there is no key, else ErrTLSKey.
func (d Dir) presentTLSKey(dir atomicfile.Dir) (key crypto.Signer, text []byte, err error) {
	text, err = readTLSKey(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, err
	}
	if err == nil {
		key, err = parseTLSKey(text)
	}
	if err != nil {
		return nil, nil, d.badTLSKey(err)
	}
	return key, text, nil
}

// CopyTLSKey is the text of the key's file, for a backup; the empty secret if there is no key.
// ErrTLSKey: it exists and cannot be used.
func (d Dir) CopyTLSKey() (secret.String, error) {
	dir, err := atomicfile.System{}.OpenDir(d.path)
	if err != nil {
		return secret.String{}, fmt.Errorf("open data directory: %w", err)
	}
	defer func() { _ = dir.Close() }() // nothing was written to it
	_, text, err := d.presentTLSKey(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return secret.String{}, nil
	}
	return secret.New(string(text)), err
}

// AddTLSKey writes the key from a backup, durably, if there is none; kept reports that there is
// one, which is kept. The caller holds the Lock.
func (d Dir) AddTLSKey(text secret.String) (kept bool, err error) {
	if _, err := parseTLSKey([]byte(text.Reveal())); err != nil {
		return false, fmt.Errorf("TLS key of the backup: %w", err)
	}
	dir, err := atomicfile.System{}.OpenDir(d.path)
	if err != nil {
		return false, fmt.Errorf("open data directory: %w", err)
	}
	defer func() { err = errors.Join(err, dir.Close()) }()
	if _, err := dir.Lstat(tlsKeyName); !errors.Is(err, fs.ErrNotExist) {
		return true, err
	}
	return false, atomicfile.Write(dir, tlsKeyName, []byte(text.Reveal()))
}

func (d Dir) badTLSKey(err error) error {
	return fmt.Errorf("%s: %w: %w", d.TLSKeyPath(), ErrTLSKey, err)
}

// readTLSKey returns fs.ErrNotExist if there is no such entry.
func readTLSKey(dir atomicfile.Dir) ([]byte, error) {
	if _, err := dir.Lstat(tlsKeyName); err != nil {
		return nil, err
	}
	f, err := dir.Open(tlsKeyName)
	if err != nil {
		return nil, errors.New("open it: " + err.Error()) // not wrapped: a file that just vanished must not look like one that never was
	}
	defer func() { _ = f.Close() }() // only read
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Mode.Perm()&0o077 != 0 || info.UID != os.Geteuid() || info.Links != 1 {
		return nil, errors.New("it must belong to this user alone and have mode 0600")
	}
	return io.ReadAll(io.LimitReader(f, maxTLSKey))
}

func parseTLSKey(data []byte) (crypto.Signer, error) {
	block, rest := pem.Decode(data)
	if block == nil || block.Type != pemKey || len(rest) > 0 {
		return nil, errors.New("it does not hold one whole PEM private key")
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, errors.New("it holds no PKCS #8 private key") // err may quote what it read
	}
	key, ok := parsed.(crypto.Signer)
	if !ok {
		return nil, errors.New("its key cannot sign")
	}
	return key, nil
}

func makeTLSKey(dir atomicfile.Dir) (crypto.Signer, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make TLS key: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("encode TLS key: %w", err)
	}
	return key, atomicfile.Write(dir, tlsKeyName, pem.EncodeToMemory(&pem.Block{Type: pemKey, Bytes: der}))
}
