package seal

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"encoding/base64"
	"errors"
	"strings"

	"github.com/agentkeys/agentkeys/internal/secret"
)

const recoveryPrefix = "AGENTKEYS-RECOVERY-1-"

// ErrRecoveryKey says that a text is no recovery key; a usage error. It never
// repeats the text.
var ErrRecoveryKey = errors.New("not a recovery key: AGENTKEYS-RECOVERY-1- and 109 letters and digits; copy it again")

// RecoveryKey packs the owner's two seeds with 4 bytes of their SHA-256, so that a mistyped
// letter is noticed. `init` shows it once.
func RecoveryKey(identitySeed, signingSeed secret.String) (secret.String, error) {
	a, err := seedBytes(identitySeed)
	if err != nil {
		return secret.String{}, err
	}
	b, err := seedBytes(signingSeed)
	if err != nil {
		return secret.String{}, err
	}
	body := append(append([]byte{}, a...), b...)
	sum := sha256.Sum256(body)
	text := base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(append(body, sum[:4]...))
	return secret.New(recoveryPrefix + text), nil
}

// ParseRecoveryKey returns the two seeds. It ignores case, blanks and line ends.
func ParseRecoveryKey(key secret.String) (identitySeed, signingSeed secret.String, err error) {
	text := strings.ToUpper(strings.Join(strings.Fields(key.Reveal()), ""))
	text, ok := strings.CutPrefix(text, recoveryPrefix)
	raw, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(text)
	if !ok || err != nil || len(raw) != 2*SeedSize+4 {
		return secret.String{}, secret.String{}, ErrRecoveryKey
	}
	sum := sha256.Sum256(raw[:2*SeedSize])
	if subtle.ConstantTimeCompare(sum[:4], raw[2*SeedSize:]) != 1 {
		return secret.String{}, secret.String{}, ErrRecoveryKey
	}
	encode := base64.RawURLEncoding.EncodeToString
	return secret.New(encode(raw[:SeedSize])), secret.New(encode(raw[SeedSize : 2*SeedSize])), nil
}
