package session

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"

	"github.com/agentkeys/agentkeys/internal/secret"
)

// TokenLength is the number of characters of a token: 32 bytes as base64url.
const TokenLength = 43

// ErrToken says that a text is no token. It never repeats the text.
var ErrToken = errors.New("a token is 43 characters of base64url")

// NewToken makes a token, on the machine that keeps it (ADR 4).
func NewToken() secret.String {
	var b [32]byte
	_, _ = rand.Read(b[:])
	return secret.New(base64.RawURLEncoding.EncodeToString(b[:]))
}

// CheckToken returns ErrToken unless text has the form of a token.
func CheckToken(text string) error {
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(b) != 32 || len(text) != TokenLength {
		return ErrToken
	}
	return nil
}

// TokenHash is what the broker learns of a token: the SHA-256 of its 43 characters, in
// lower-case hex.
func TokenHash(token secret.String) string {
	sum := sha256.Sum256([]byte(token.Reveal()))
	return hex.EncodeToString(sum[:])
}
