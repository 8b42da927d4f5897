package datadir_test

import (
	"crypto"
	"crypto/ecdsa"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/agentkeys/agentkeys/internal/broker/datadir"
)

// opened is an empty data directory.
func opened(t *testing.T) datadir.Dir {
	t.Helper()
	d, err := datadir.Open(filepath.Join(t.TempDir(), "data"))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestTheTLSKeyIsMadeOnce(t *testing.T) {
	t.Parallel()
	d := opened(t)
	var keys [2]*ecdsa.PrivateKey
	for i := range keys {
		key, err := d.TLSKey()
		if err != nil {
			t.Fatal(err)
		}
		keys[i] = key.(*ecdsa.PrivateKey)
	}
	if !keys[0].Equal(keys[1]) {
		t.Error("another key at the second start")
	}
	if info, err := os.Stat(d.TLSKeyPath()); err != nil || info.Mode() != 0o600 {
		t.Error(info, err)
	}
}

func TestATLSKeyThatIsThereIsNeverReplaced(t *testing.T) {
	t.Parallel()
	tests := map[string]func(path string, whole []byte) error{
		"torn":            func(path string, whole []byte) error { return os.WriteFile(path, whole[:len(whole)/2], 0o600) },
		"empty":           func(path string, _ []byte) error { return os.WriteFile(path, nil, 0o600) },
		"zeros":           func(path string, whole []byte) error { return os.WriteFile(path, make([]byte, len(whole)), 0o600) },
		"two keys":        func(path string, whole []byte) error { return os.WriteFile(path, append(whole, whole...), 0o600) },
		"others may read": func(path string, _ []byte) error { return os.Chmod(path, 0o640) },
		"a second name":   func(path string, _ []byte) error { return os.Link(path, path+".copy") },
		"a dead link": func(path string, _ []byte) error {
			return errors.Join(os.Remove(path), os.Symlink("nowhere", path))
		},
		"a directory": func(path string, _ []byte) error { return errors.Join(os.Remove(path), os.Mkdir(path, 0o700)) },
	}
	for name, harm := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := opened(t)
			if _, err := d.TLSKey(); err != nil {
				t.Fatal(err)
			}
			whole, err := os.ReadFile(d.TLSKeyPath())
			if err != nil {
				t.Fatal(err)
			}
			if err := harm(d.TLSKeyPath(), whole); err != nil {
				t.Fatal(err)
			}
			before, _ := os.ReadFile(d.TLSKeyPath())
			var key crypto.Signer
			if key, err = d.TLSKey(); !errors.Is(err, datadir.ErrTLSKey) || key != nil {
				t.Fatal(key != nil, err)
			}
			if after, _ := os.ReadFile(d.TLSKeyPath()); string(after) != string(before) {
				t.Error("the file was changed")
			}
		})
	}
}
