package session

import (
	"crypto/ed25519"
	"encoding/base64"
	"errors"

	"github.com/agentkeys/agentkeys/internal/secret"
	"github.com/agentkeys/agentkeys/internal/wallet"
)

// ErrProof says that a signature does not prove the device, or that a key is malformed.
var ErrProof = errors.New("the proof does not match")

// RenewText is what the device signs to register the hash of its next token.
func RenewText(w wallet.Wallet, tokenSHA256, nextSHA256 string) []byte {
	return []byte("agentkeys renew v1\n" + w.String() + "\n" + tokenSHA256 + "\n" + nextSHA256)
}

// EndText is what the device signs to end its own session.
func EndText(w wallet.Wallet, tokenSHA256 string) []byte {
	return []byte("agentkeys end v1\n" + w.String() + "\n" + tokenSHA256)
}

// ResumeText is what the device, or the owner's signing key, signs to get a new token when
// the broker does not accept the old one.
func ResumeText(w wallet.Wallet, nextSHA256, challenge string) []byte {
	return []byte("agentkeys resume v1\n" + w.String() + "\n" + nextSHA256 + "\n" + challenge)
}

// ReopenText is what the owner's signing key signs to reactivate a lapsed session. tokenSHA256
// is the hash of the owner's token, so the proof is valid for that session of the owner only.
func ReopenText(owner, agent wallet.Wallet, tokenSHA256 string) []byte {
	return []byte("agentkeys reopen v1\n" + owner.String() + "\n" + agent.String() + "\n" + tokenSHA256)
}

// OpenText is what the owner's signing key signs to open the account after the broker's
// database was restored. tokenSHA256 is the hash of the owner's token.
func OpenText(owner wallet.Wallet, epoch, tokenSHA256 string) []byte {
	return []byte("agentkeys open v1\n" + owner.String() + "\n" + epoch + "\n" + tokenSHA256)
}

// AccountText is what a new owner's signing key signs in POST /v1/accounts.
func AccountText(w wallet.Wallet, tokenSHA256, recipient, signingKey string) []byte {
	return []byte("agentkeys account v1\n" + w.String() + "\n" + tokenSHA256 + "\n" + recipient + "\n" + signingKey)
}

// Prove signs text with an Ed25519 seed (32 bytes, base64url). ErrProof: a malformed seed.
func Prove(seed secret.String, text []byte) ([]byte, error) {
	b, err := base64.RawURLEncoding.DecodeString(seed.Reveal())
	if err != nil || len(b) != ed25519.SeedSize {
		return nil, ErrProof
	}
	return ed25519.Sign(ed25519.NewKeyFromSeed(b), text), nil
}

// CheckProof verifies a signature by publicKey (base64url). Any defect is ErrProof.
func CheckProof(publicKey string, text, signature []byte) error {
	key, err := base64.RawURLEncoding.Strict().DecodeString(publicKey)
	if err != nil || len(key) != ed25519.PublicKeySize || !ed25519.Verify(key, text, signature) {
		return ErrProof
	}
	return nil
}
