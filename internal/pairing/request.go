// Package pairing holds the messages that a board and an owner exchange while the owner
// approves the board, and decides whether they are genuine
// (docs/spec/architecture.md#pairing). The typed code is a secret between the two; the broker
// between them never learns it. The package does no input or output. Only DeriveKey is slow,
// on purpose.
package pairing

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"unicode/utf8"

	"github.com/agentkeys/agentkeys/internal/display"
	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/scope"
	"github.com/agentkeys/agentkeys/internal/seal"
	"github.com/agentkeys/agentkeys/internal/strictjson"
)

// Kinds of a request.
const (
	KindPair    = "pair"
	KindRecover = "recover"
)

// ErrRequest says that a request is malformed; refuse it.
var ErrRequest = errors.New("malformed pairing request")

// MaxRequest bounds the bytes of a request; a real one has about 2,500.
const MaxRequest = 8 << 10

var hashPattern = regexp.MustCompile(`\A[0-9a-f]{64}\z`)

// Request is what a board asks for. It travels as the bytes that Encode made; the
// MAC and the scrypt salt cover those bytes.
type Request struct {
	V              int         `json:"v"` // 1
	Kind           string      `json:"kind"`
	TokenSHA256    string      `json:"token_sha256"`
	DeviceKey      string      `json:"device_key"`      // age hybrid recipient
	DeviceSignKey  string      `json:"device_sign_key"` // Ed25519 public key, base64url
	RequestedScope scope.Scope `json:"requested_scope"` // a wish; the owner decides
	Alias          string      `json:"alias"`           // a wish; empty: none
	Identity       string      `json:"identity"`        // recover: which agent (a wallet where the broker resolved it)
	Host           string      `json:"host"`
	Machine        string      `json:"machine"` // hash of the board's serial number; may be empty
}

// Encode checks r and gives the bytes that are sent, stored and covered by the MAC.
func (r Request) Encode() ([]byte, error) {
	r.V = 1
	if err := r.check(); err != nil {
		return nil, err
	}
	return json.Marshal(r)
}

// ParseRequest reads the bytes strictly. Any defect is ErrRequest.
func ParseRequest(raw []byte) (Request, error) {
	if len(raw) > MaxRequest {
		return Request{}, fmt.Errorf("%w: more than %d bytes", ErrRequest, MaxRequest)
	}
	var r Request
	if err := strictjson.Decode(raw, &r); err != nil {
		return Request{}, fmt.Errorf("%w: %w", ErrRequest, err)
	}
	return r, r.check()
}

func (r Request) check() error {
	bad := func(what string) error { return fmt.Errorf("%w: %s", ErrRequest, what) }
	switch {
	case r.V != 1:
		return bad("unknown version")
	case r.Kind != KindPair && r.Kind != KindRecover:
		return bad("unknown kind")
	case !hashPattern.MatchString(r.TokenSHA256):
		return bad("token_sha256")
	case seal.CheckRecipient(r.DeviceKey) != nil || seal.CheckSigningKey(r.DeviceSignKey) != nil:
		return bad("device keys")
	case r.Alias != "" && seal.CheckAlias(r.Alias) != nil:
		return bad("alias")
	case (r.Kind == KindRecover) != (r.Identity != ""):
		return bad("identity")
	}
	for name, text := range map[string]string{"identity": r.Identity, "host": r.Host, "machine": r.Machine} {
		if err := CheckText(text); err != nil {
			return bad(name)
		}
	}
	return nil
}

// CheckText returns ErrRequest unless text may be shown to the person who decides: every
// character is visible or the plain space, none changes the direction of writing, and there
// are at most 64 bytes.
func CheckText(text string) error {
	if len(text) > protocol.MaxText || !utf8.ValidString(text) {
		return ErrRequest
	}
	for _, r := range text {
		if !display.Safe(r) {
			return ErrRequest
		}
	}
	return nil
}
