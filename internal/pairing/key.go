package pairing

import (
	"crypto/hmac"
	"crypto/sha256"
	"fmt"

	"golang.org/x/crypto/scrypt"
)

// The parameters of scrypt make one guess of a code cost about 50 ms and 32 MiB on a small
// board (docs/spec/architecture.md#pairing-messages).
const (
	scryptN = 32768
	scryptR = 8
	scryptP = 1
	keySize = 32
)

// Key is derived on both sides from the code's secret and the request's bytes.
type Key struct{ k []byte }

// DeriveKey runs scrypt over the code's secret, salted with the request.
func DeriveKey(c Code, request []byte) (Key, error) {
	salt := sha256.Sum256(append([]byte("agentkeys pair v1\n"), request...))
	k, err := scrypt.Key([]byte(c.Secret().Reveal()), salt[:], scryptN, scryptR, scryptP, keySize)
	if err != nil {
		return Key{}, fmt.Errorf("derive pairing key: %w", err)
	}
	return Key{k}, nil
}

// Format keeps the key out of all output.
func (k Key) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("[secret]")) }

func (k Key) mac(text []byte) []byte {
	m := hmac.New(sha256.New, k.k)
	m.Write(text)
	return m.Sum(nil)
}

// RequestMAC proves that the request was made by the device that shows the code.
func (k Key) RequestMAC() []byte { return k.mac([]byte("request")) }

// GrantMAC proves that the grant was made by the person who typed the code.
func (k Key) GrantMAC(grant []byte) []byte { return k.mac(append([]byte("grant\n"), grant...)) }

// DenyMAC proves that the denial was made by the person who typed the code.
func (k Key) DenyMAC() []byte { return k.mac([]byte("deny")) }

// Equal compares two MACs in constant time.
func Equal(a, b []byte) bool { return hmac.Equal(a, b) }
