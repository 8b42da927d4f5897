// Package secret holds a value that cannot be printed by accident: tokens, key
// seeds, pair codes and credential values travel as secret.String and leave it
// only through Reveal, which is easy to grep for.
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

// String is a secret text. The zero value is the empty secret. The pointer keeps
// reflection-based printers (%+v of a holder, slog, spew) from reaching the bytes.
type String struct{ p *string }

// New wraps s.
func New(s string) String { return String{p: &s} }

// Reveal returns the text itself. Every call is a place to review.
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

// MarshalText always fails with ErrMarshal: silently writing a placeholder into
// a stored document would lose the secret.
func (s String) MarshalText() ([]byte, error) { return nil, ErrMarshal }
