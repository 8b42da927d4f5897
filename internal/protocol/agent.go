package protocol

import (
	"github.com/agentkeys/agentkeys/internal/wallet"

	"github.com/agentkeys/agentkeys/internal/words"
)

// SignedManifest is a manifest as its owner signed it. The bytes travel as they were signed
// and are parsed only after the signature is good (ADR 6).
type SignedManifest struct {
	Manifest  Bytes `json:"manifest"`
	Signature Bytes `json:"signature"`
}

// SealedRecord is one credential as ciphertext. The manifest refers to it by the SHA-256 of
// Data.
type SealedRecord struct {
	Service  string `json:"service"`
	Revision uint64 `json:"revision"`
	Data     Bytes  `json:"data"`
}

// PutManifest is the body of PUT /v1/agents/{wallet}/manifest, with If-Match on the
// revision that it replaces (`"0"` for the first). Records holds the changed ones
// only; records that the new manifest does not list are dropped.
type PutManifest struct {
	Manifest SignedManifest `json:"manifest"`
	Records  []SealedRecord `json:"records"`
}

// ManifestReply answers GET and PUT of a manifest. For the owner, Revisions has the highest
// revision of each service that this wallet ever had, removed ones included.
type ManifestReply struct {
	SignedManifest
	Revision  uint64            `json:"revision"`
	Revisions map[string]uint64 `json:"revisions,omitempty"`
}

// RecordList answers GET /v1/agents/{wallet}/records.
type RecordList struct {
	Records []SealedRecord `json:"records"`
}

// Sync answers GET /v1/agent/sync; the ETag header names it for If-None-Match.
type Sync struct {
	SignedManifest
	Revision uint64 `json:"revision"`
}

// Agent states of GET /v1/agents.
const (
	AgentOnline    = "online"
	AgentOffline   = "offline"
	AgentParked    = "parked"
	AgentRevoked   = "revoked"
	AgentLapsed    = "lapsed"
	AgentNeverSeen = "never_seen"
)

// Agent is one agent of an owner. The CLI takes alias and scope from Manifest after it
// checked the signature; it does not believe the broker about them.
type Agent struct {
	Wallet         wallet.Wallet  `json:"wallet"`
	State          string         `json:"state"`
	Manifest       SignedManifest `json:"manifest"`
	CreatedAt      int64          `json:"created_at"`
	ExpiresAt      int64          `json:"expires_at"`
	LastSeen       int64          `json:"last_seen"` // 0: never
	Address        string         `json:"address"`   // where it was last seen
	Machine        string         `json:"machine"`   // hash of the board's serial number
	Host           string         `json:"host"`
	Version        string         `json:"version"`
	StorageBackend string         `json:"storage_backend"`
	KeychainState  string         `json:"keychain_state"`
}

// AgentList is a page of GET /v1/agents?cursor=N.
type AgentList struct {
	Agents []Agent `json:"agents"`
	Next   uint64  `json:"next,omitempty"` // the cursor of the next page; 0: this is the last
}

// Report is the body of POST /v1/agent/report.
type Report struct {
	Version        string              `json:"version"`
	Host           string              `json:"host"`
	StorageBackend words.Backend       `json:"storage_backend"`
	KeychainState  words.KeychainState `json:"keychain_state"`
	State          words.State         `json:"state"`
	Events         []Event             `json:"events"`
}

// Event is one access that the daemon granted or denied, or several of the same kind. The
// broker counts an ID once.
type Event struct {
	ID        string `json:"id"`        // 32 hex digits
	Time      int64  `json:"time"`      // of the first access, by the board's clock
	Service   string `json:"service"`   // empty: denials for several services, or Lost
	Interface string `json:"interface"` // "agent.sock", "credentials.sock"
	Caller    string `json:"caller"`    // "uid=1000"
	Unit      string `json:"unit"`      // systemd unit, or empty
	Result    string `json:"result"`    // "ok" or "denied"
	Count     int    `json:"count"`     // 1 to MaxEventCount
	// Reason is why an access was denied, one of ReasonScope, ReasonRules and ReasonRevoked; empty: not
	// known, or denials for several reasons.
	Reason string `json:"reason,omitempty"`
	Lost   bool   `json:"lost,omitempty"` // Count events of this result were dropped
}

// Reasons of a denial.
const (
	ReasonScope   = "scope"   // the service is not in the agent's scope
	ReasonRules   = "rules"   // no rule in the daemon's settings matches the caller
	ReasonRevoked = "revoked" // the owner ended the agent's session
)

// IsReason accepts the reasons of a denial.
func IsReason(text string) bool {
	return text == ReasonScope || text == ReasonRules || text == ReasonRevoked
}

// Audit actions (docs/spec/architecture.md#audit-trail).
const (
	ActionAccountCreated  = "account_created"
	ActionPairingOpened   = "pairing_opened"
	ActionPairingApproved = "pairing_approved"
	ActionPairingDenied   = "pairing_denied"
	ActionPairingExpired  = "pairing_expired"
	ActionRecovered       = "recovered"
	ActionRenewed         = "renewed"
	ActionResumed         = "resumed"
	ActionProofFailed     = "proof_failed"
	ActionParked          = "parked"
	ActionReopened        = "reopened"
	ActionRevoked         = "revoked"
	ActionTornDown        = "torn_down"
	ActionManifestChanged = "manifest_changed"
	ActionSynced          = "credential_synced"
	ActionAccessGranted   = "access_granted"
	ActionAccessDenied    = "access_denied"
	ActionEventsLost      = "events_lost" // a daemon dropped accesses before its broker answered
)

// AuditRow is one row of an account's chain; SHA256 is what ChainRow computes.
type AuditRow struct {
	Number  uint64        `json:"number"` // from 1, without gaps
	Time    int64         `json:"time"`   // of receipt, by the broker's clock
	Agent   wallet.Wallet `json:"agent,omitzero"`
	Service string        `json:"service,omitempty"`
	Action  string        `json:"action"`
	Result  string        `json:"result"`           // "ok" or "denied"
	Where   string        `json:"where"`            // "broker", or "local" = reported by the daemon
	Detail  string        `json:"detail,omitempty"` // an AccessDetail, a host or what changed; never a value
	SHA256  string        `json:"sha256"`
}

// Audit answers GET /v1/audit, oldest first. Next is the cursor of the next page,
// 0 at the end. Head is the newest row of the whole account.
type Audit struct {
	Rows []AuditRow `json:"rows"`
	Next uint64     `json:"next"`
	Head AuditHead  `json:"head"`
}

// AuditHead names the newest row. The CLI keeps it and reports audit_rewritten when a later
// answer does not contain it.
type AuditHead struct {
	Number uint64 `json:"number"`
	SHA256 string `json:"sha256"`
}

// Reopen is the body of POST /v1/agents/{wallet}/reopen. Proof is a signature by the owner's
// signing key over session.ReopenText: what widens access needs that key, not only the token.
type Reopen struct {
	Proof Bytes `json:"proof"`
}

// OpenAccount is the body of POST /v1/accounts/open. Proof is a signature by the owner's
// signing key over session.OpenText.
type OpenAccount struct {
	Epoch string `json:"epoch"`
	Proof Bytes  `json:"proof"`
}
