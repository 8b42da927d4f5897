// Package seal makes and checks what is protected by keys alone: the manifest that an owner
// signs for each agent, and the records that are encrypted to the agent's device key and the
// owner's key (docs/spec/architecture.md#manifests-and-records). It does no input or output.
package seal

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"filippo.io/age"

	"github.com/agentkeys/agentkeys/internal/secret"
)

// SeedSize is the length in bytes of every seed.
const SeedSize = 32

// keyText is the length of 32 bytes as base64url. The length is checked because Go's decoder
// skips line ends, so that one key would have many spellings.
const keyText = 43

// ErrKey says that a seed or public key is malformed. It never repeats the key.
var ErrKey = errors.New("malformed key")

// NewSeed makes a seed for an age hybrid identity or an Ed25519 key: 32 bytes, base64url.
func NewSeed() secret.String {
	var b [SeedSize]byte
	_, _ = rand.Read(b[:])
	return secret.New(base64.RawURLEncoding.EncodeToString(b[:]))
}

func seedBytes(seed secret.String) ([]byte, error) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(seed.Reveal())
	if err != nil || len(b) != SeedSize || len(seed.Reveal()) != keyText {
		return nil, ErrKey
	}
	return b, nil
}

// identity builds age's hybrid identity (ML-KEM-768 and X25519) of a seed.
func identity(seed secret.String) (*age.HybridIdentity, error) {
	b, err := seedBytes(seed)
	if err != nil {
		return nil, err
	}
	text := strings.ToUpper(bech32Encode("age-secret-key-pq-", b))
	id, err := age.ParseHybridIdentity(text)
	if err != nil {
		return nil, ErrKey
	}
	return id, nil
}

// Recipient is the public age key of a seed: `age1pq1...`, about 1,960 characters.
func Recipient(seed secret.String) (string, error) {
	id, err := identity(seed)
	if err != nil {
		return "", err
	}
	return id.Recipient().String(), nil
}

// CheckRecipient returns ErrKey unless text is an age hybrid recipient. age refuses to mix
// hybrid and other recipients in one file, so all keys are hybrid.
func CheckRecipient(text string) error {
	if _, err := age.ParseHybridRecipient(text); err != nil {
		return fmt.Errorf("age recipient: %w", ErrKey)
	}
	return nil
}

// SigningKey is the Ed25519 public key of a seed, base64url.
func SigningKey(seed secret.String) (string, error) {
	b, err := seedBytes(seed)
	if err != nil {
		return "", err
	}
	pub, _ := ed25519.NewKeyFromSeed(b).Public().(ed25519.PublicKey)
	return base64.RawURLEncoding.EncodeToString(pub), nil
}

// CheckSigningKey returns ErrKey unless text is an Ed25519 public key, base64url.
func CheckSigningKey(text string) error {
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(b) != ed25519.PublicKeySize || len(text) != keyText {
		return fmt.Errorf("signing key: %w", ErrKey)
	}
	return nil
}
