// Package protocol holds the documents that broker and clients exchange, as
// api/broker.openapi.yaml describes them. Binary values are base64url without padding
// (Bytes), hashes are lower-case hex, times are Unix seconds by the broker's clock, durations
// are seconds. Servers decode with strictjson.Decode, clients with strictjson.DecodeLenient.
package protocol

import (
	"encoding/base64"
	"errors"

	"github.com/agentkeys/agentkeys/internal/wallet"
)

// Limits of the protocol (docs/spec/architecture.md#limits-of-requests).
const (
	MaxBody        = 256 << 10 // bytes of a request body
	MaxApproveBody = 8 << 20   // bytes of an approval or a manifest with its records
	MaxRecord      = 64 << 10  // bytes of one credential value
	MaxRecords     = 64        // records of one wallet
	MaxText        = 64        // bytes of a text shown to people: alias, host
	MaxWait        = 50        // seconds of a long poll
	MaxPairingList = 200       // pairings that an owner decided, the newest
	PairingLife    = 600       // seconds that a pair code is valid and the board waits for approval
	ChallengeLife  = 60        // seconds
)

// Bytes is binary data that travels as base64url without padding.
type Bytes []byte

var errBase64 = errors.New("not base64url without padding")

// MarshalText encodes b.
func (b Bytes) MarshalText() ([]byte, error) {
	return base64.RawURLEncoding.AppendEncode(nil, b), nil
}

// UnmarshalText decodes strictly: no padding, no blanks, no unused bits.
func (b *Bytes) UnmarshalText(text []byte) error {
	out, err := base64.RawURLEncoding.Strict().DecodeString(string(text))
	if err != nil || base64.RawURLEncoding.EncodedLen(len(out)) != len(text) {
		return errBase64
	}
	*b = out
	return nil
}

// Info answers GET /v1/info; no authentication.
type Info struct {
	Version string `json:"version"`
	Epoch   string `json:"epoch"` // 32 hex digits, new after every restore
	Time    int64  `json:"time"`

	ReadOnly       bool   `json:"read_only,omitempty"`        // it answers reads and can write nothing; older brokers never send it
	ReadOnlyReason string `json:"read_only_reason,omitempty"` // ReadOnlyNoSpace, ReadOnlyMount or ReadOnlyFault
	ClockHeld      bool   `json:"clock_held,omitempty"`       // its clock jumped: no session lapses until a person accepts the clock
}

// Account is the body of POST /v1/accounts; the bearer is the set-up token. Signature is by
// SigningKey over session.AccountText.
type Account struct {
	Wallet      wallet.Wallet `json:"wallet"`
	TokenSHA256 string        `json:"token_sha256"`
	Recipient   string        `json:"recipient"`   // age hybrid recipient of the owner
	SigningKey  string        `json:"signing_key"` // Ed25519 public key, base64url
	Signature   Bytes         `json:"signature"`
}

// SessionInfo answers GET /v1/session, POST /v1/accounts, renew and resume.
type SessionInfo struct {
	Wallet    wallet.Wallet `json:"wallet"`
	Role      string        `json:"role"` // "owner" or "agent"
	CreatedAt int64         `json:"created_at"`
	ExpiresAt int64         `json:"expires_at"`
	Time      int64         `json:"time"` // the broker's clock
}

// Renew is the body of POST /v1/session/renew; Proof covers session.RenewText.
type Renew struct {
	NextSHA256 string `json:"next_sha256"`
	Proof      Bytes  `json:"proof"`
}

// EndSession is the body of DELETE /v1/session; Proof covers session.EndText. An owner's
// request has no body.
type EndSession struct {
	Proof Bytes `json:"proof,omitempty"`
}

// Resume is the body of POST /v1/session/resume; Proof covers session.ResumeText. The request
// has no bearer: the proof by the device's key or the owner's signing key is enough.
type Resume struct {
	Wallet     wallet.Wallet `json:"wallet"`
	NextSHA256 string        `json:"next_sha256"`
	Challenge  string        `json:"challenge"`
	Proof      Bytes         `json:"proof"`
}
