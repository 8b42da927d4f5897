package protocol

import "errors"

// Errors that a client makes itself when there is no broker's answer to act on.
// None of them ever changes a slot.
var (
	// ErrUnreachable: no answer, or one that is not a broker's (a proxy's page, a 401
	// without our code, garbage). Try again later.
	ErrUnreachable = errors.New("the broker cannot be reached")
	// ErrCertificate: TLS was refused: wrong pin, name or chain. A person must look.
	ErrCertificate = errors.New("the broker's certificate is not the expected one")
)
