// Package secret holds a value that cannot be printed by accident. Tokens, key seeds, pair
// codes and credential values are passed as secret.String; only Reveal returns the text, so
// a search for Reveal finds every place where a secret is used.
package secret

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"log/slog"
)

const redacted = "[secret]"

// ErrMarshal is returned when an encoder meets a secret. Encoders that are meant
// to write the secret (the session payload, a request header) call Reveal.
var ErrMarshal = errors.New("secret: refusing to encode a secret")

// String is a secret text. The zero value is the empty secret. It holds a pointer so that
// printers that use reflection (%+v of a struct that holds it, slog) do not reach the text.
type String struct{ p *string }

// New wraps s.
func New(s string) String { return String{p: &s} }

// Reveal returns the text itself. A review looks at every call.
func (s String) Reveal() string {
	if s.p == nil {
		return ""
	}
	return *s.p
}

// IsZero reports whether the secret is empty.
func (s String) IsZero() bool { return s.Reveal() == "" }

// Equal compares in constant time for equal lengths.
func (s String) Equal(o String) bool {
	return subtle.ConstantTimeCompare([]byte(s.Reveal()), []byte(o.Reveal())) == 1
}

// Format prints a placeholder for every verb.
func (s String) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue gives slog the placeholder.
func (s String) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText always fails with ErrMarshal. Writing a placeholder into a stored document
// without an error would lose the secret.
func (s String) MarshalText() ([]byte, error) { return nil, ErrMarshal }
