package protocol

import (
	"errors"
	"strings"
)

// Errors that a client returns when there is no answer of a broker to act on. The caller
// never changes a slot because of one.
var (
	// ErrUnreachable: no answer, or one that is not a broker's (a proxy's page, a 401
	// without a code of ours, a malformed body). Try again later.
	ErrUnreachable = errors.New("the broker cannot be reached")
	// ErrForeign is an ErrUnreachable: what answers at the URL is not a broker, so the URL may
	// be wrong. A proxy that says that it cannot reach the broker is not meant.
	ErrForeign = errors.New("the answer is not a broker's")
	// ErrCertificate: the certificate was refused: wrong pin, name or chain. A person has to look.
	ErrCertificate = errors.New("the broker's certificate is not the expected one")
	// ErrUnpinned is an ErrCertificate: the broker signed its certificate itself, and the URL
	// has no pin of its key. The user has to give the whole URL.
	ErrUnpinned = errors.New("it was signed by the broker itself, and the URL has no key pin")
)

// Reason is the text of err for a sentence that already says that the broker could not be
// used.
func Reason(err error) string {
	text := err.Error()
	for _, said := range []error{ErrUnreachable, ErrCertificate} {
		if rest, ok := strings.CutPrefix(text, said.Error()+": "); ok {
			text = rest
		}
	}
	return text
}
