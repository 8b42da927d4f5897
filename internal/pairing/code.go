package pairing

import (
	"crypto/rand"
	"errors"
	"strings"

	"github.com/agentkeys/agentkeys/internal/secret"
)

const (
	crockford    = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
	codeLength   = 12
	lookupLength = 3
)

// ErrCode says that a text is no pair code; a usage error. It never repeats the text.
var ErrCode = errors.New("a pair code is 12 letters and digits, like K7QF-2M9X-RT4B")

// Code is what the daemon shows and the owner types. The first 3 characters only find the
// request; the other 9 (45 bits) authenticate both sides to each other.
type Code struct{ text secret.String }

// NewCode draws a code.
func NewCode() Code {
	var b [codeLength]byte
	_, _ = rand.Read(b[:])
	for i, c := range b {
		b[i] = crockford[c&31] // 256 is a multiple of 32: no bias
	}
	return Code{secret.New(string(b[:]))}
}

// ParseCode ignores case, '-' and blanks, and reads I and L as 1, O as 0.
func ParseCode(text string) (Code, error) {
	canonical := strings.Map(canonicalRune, text)
	if len(canonical) != codeLength || strings.Trim(canonical, crockford) != "" {
		return Code{}, ErrCode
	}
	return Code{secret.New(canonical)}, nil
}

func canonicalRune(r rune) rune {
	switch {
	case r == '-' || r == ' ' || r == '\t':
		return -1
	case r == 'i' || r == 'I' || r == 'l' || r == 'L':
		return '1'
	case r == 'o' || r == 'O':
		return '0'
	case r >= 'a' && r <= 'z':
		return r - 'a' + 'A'
	}
	return r
}

// CheckLookup returns ErrCode unless text is the lookup part of a code in canonical form.
func CheckLookup(text string) error {
	if len(text) != lookupLength || strings.Trim(text, crockford) != "" {
		return ErrCode
	}
	return nil
}

// Lookup is the part that the broker learns.
func (c Code) Lookup() string { return c.text.Reveal()[:lookupLength] }

// Secret is the part that the broker never learns.
func (c Code) Secret() secret.String { return secret.New(c.text.Reveal()[lookupLength:]) }

// Text is the canonical code for the pending slot.
func (c Code) Text() secret.String { return c.text }

// Show is the code for the board's screen: K7QF-2M9X-RT4B.
func (c Code) Show() string {
	t := c.text.Reveal()
	return t[:4] + "-" + t[4:8] + "-" + t[8:]
}
