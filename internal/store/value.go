package store

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"strconv"
	"strings"

	"github.com/agentkeys/agentkeys/internal/session"
)

// Prefixes of a keychain value. The last two are what go-keyring writes on macOS; it takes
// them off again, and a value that was read without it still has them.
const (
	valuePrefix         = "ak1."
	keyringBase64Prefix = "go-keyring-base64:"
	keyringHexPrefix    = "go-keyring-encoded:"
)

var errValue = errors.New("the keychain entry is no session")

// value is what a keychain entry holds. Generation 0 is an entry of another program: the
// JSON of a session without anything around it.
type value struct {
	generation uint64
	payload    []byte
	promoted   string // pending slot that the session is from; empty = none. Not in the entry
}

// encode gives one line of ASCII: a newline in a secret makes a gnome-keyring without a
// password unreadable at its next start, and a leading blank is lost.
func (v value) encode() string {
	return valuePrefix + strconv.FormatUint(v.generation, 10) + "." + base64.RawURLEncoding.EncodeToString(v.payload)
}

// parseValue returns errValue for anything that is not a session in either form.
func parseValue(text string) (value, error) {
	if rest, ok := strings.CutPrefix(text, valuePrefix); ok {
		return parseOwn(rest)
	}
	_, payload, err := parseForeign(text)
	return value{payload: payload}, err
}

func parseOwn(rest string) (value, error) {
	number, encoded, ok := strings.Cut(rest, ".")
	generation, err := strconv.ParseUint(number, 10, 64)
	if !ok || err != nil || generation == 0 || generation >= maxGeneration || strconv.FormatUint(generation, 10) != number {
		return value{}, errValue
	}
	payload, err := base64.RawURLEncoding.Strict().DecodeString(encoded)
	if err != nil || len(payload) == 0 {
		return value{}, errValue
	}
	return value{generation: generation, payload: payload}, nil
}

// parseForeign reads the JSON of a session that another program or an earlier
// version wrote, and gives it in our own form.
func parseForeign(text string) (session.Session, []byte, error) {
	data := []byte(text)
	var err error
	if rest, ok := strings.CutPrefix(text, keyringBase64Prefix); ok {
		data, err = base64.StdEncoding.DecodeString(strings.TrimSpace(rest))
	} else if rest, ok := strings.CutPrefix(text, keyringHexPrefix); ok {
		data, err = hex.DecodeString(strings.TrimSpace(rest))
	}
	if err != nil {
		return session.Session{}, nil, errValue
	}
	v, err := session.Decode(bytes.TrimSpace(data))
	if err != nil {
		return session.Session{}, nil, errValue
	}
	payload, err := v.Encode()
	if err != nil {
		return session.Session{}, nil, errValue
	}
	return v, payload, nil
}
