package protocol

import (
	"errors"
	"strings"
)

// Errors that a client makes itself when there is no broker's answer to act on.
// None of them ever changes a slot.
var (
	// ErrUnreachable: no answer, or one that is not a broker's (a proxy's page, a 401
	// without our code, garbage). Try again later.
	ErrUnreachable = errors.New("the broker cannot be reached")
	// ErrCertificate: TLS was refused: wrong pin, name or chain. A person must look.
	ErrCertificate = errors.New("the broker's certificate is not the expected one")
	// ErrUnpinned is an ErrCertificate: the broker signed its certificate itself, and
	// the URL does not say by which key it is known. The whole URL must be given.
	ErrUnpinned = errors.New("it was signed by the broker itself, and the URL has no key pin")
)

// Reason is the text of err for a sentence that says already that the broker could not
// be used.
func Reason(err error) string {
	text := err.Error()
	for _, said := range []error{ErrUnreachable, ErrCertificate} {
		if rest, ok := strings.CutPrefix(text, said.Error()+": "); ok {
			text = rest
		}
	}
	return text
}
