// Package session holds the session value, its id and its token, and decides when it is to
// be renewed. It does no input or output.
package session

import (
	"time"

	"github.com/agentkeys/agentkeys/internal/scope"
	"github.com/agentkeys/agentkeys/internal/secret"
	"github.com/agentkeys/agentkeys/internal/wallet"
)

// TTL is the life of a session without renewal, for owner and agent alike.
const TTL = 30 * 24 * time.Hour

// Session is the content of one slot. A daemon's slot has Broker, Owner and the device keys;
// master has Identity and SigningSeed; a pending slot has Pairing too. A session that was
// adopted from another program may have only the first five fields.
type Session struct {
	Token      secret.String
	Wallet     wallet.Wallet // zero while a first pairing is pending
	Scope      scope.Scope
	CreatedAt  int64 // Unix seconds, by the broker's clock where it is known
	TTLSeconds int64

	Broker string // base URL, pin included; empty in an adopted session
	Owner  *Owner // nil in master and adopted sessions

	DeviceKey     secret.String // 32-byte seed of the age hybrid identity, base64url
	DeviceSignKey secret.String // 32-byte Ed25519 seed, base64url
	Next          secret.String // token that is registered or about to be, and not used yet
	Ended         *Ended        // set when the broker said session_revoked

	ManifestRevision uint64 // highest revision of the manifest at the last save; 0: none was seen

	Identity    secret.String // master: 32-byte seed of the owner's age hybrid identity
	SigningSeed secret.String // master: 32-byte Ed25519 seed of the owner

	Pairing *Pairing // pending slots only
}

// Owner is the owner who approved this agent, pinned at pairing.
type Owner struct {
	Wallet     wallet.Wallet `json:"wallet"`
	SigningKey string        `json:"signing_key"` // Ed25519 public key, base64url
}

// Ended records that the broker ended the session, so that it holds over restarts.
type Ended struct {
	Code   string `json:"code"`
	At     int64  `json:"at"`               // Unix seconds
	Broker string `json:"broker,omitempty"` // URL of the broker that said it; empty: the one that the session remembers
}

// Pairing is what a pairing in progress must remember over a power cut.
type Pairing struct {
	Code      secret.String // the 12 characters, without dashes
	Kind      string        // "pair" or "recover"
	Request   []byte        // the exact bytes that were sent
	StartedAt int64         // Unix seconds by the local clock; decides only when the slot is collected
	Resumed   int           // how often `pair` continued it
}

// CanServe reports whether the session has the keys to open records. A session that was
// adopted without device keys is kept but serves nothing, and the user is told to recover.
func (s Session) CanServe() bool { return !s.DeviceKey.IsZero() && !s.DeviceSignKey.IsZero() }

// ExpiresAt is when the session lapses without renewal, in Unix seconds. It only schedules;
// only the broker ends a session.
func (s Session) ExpiresAt() int64 { return s.CreatedAt + s.TTLSeconds }
