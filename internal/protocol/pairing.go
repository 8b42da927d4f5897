package protocol

import "github.com/agentkeys/agentkeys/internal/wallet"

// OpenPairing is the body of POST /v1/pairings; no authentication.
type OpenPairing struct {
	Lookup      string `json:"lookup"` // 3 Crockford characters
	TokenSHA256 string `json:"token_sha256"`
	Request     Bytes  `json:"request"` // the exact bytes of a pairing.Request
	MAC         Bytes  `json:"mac"`     // HMAC-SHA256(K, "request")
}

// PairingOpened answers OpenPairing with 201, and GET /v1/pairings/self with 202 until the
// owner decides.
type PairingOpened struct {
	ExpiresIn int `json:"expires_in"` // seconds
	Interval  int `json:"interval"`   // seconds between polls that do not wait
}

// FindPairing is the body of POST /v1/pairings/find; the bearer is an owner.
type FindPairing struct {
	Lookup string `json:"lookup"`
}

// FoundPairing answers FindPairing.
type FoundPairing struct {
	TokenSHA256 string `json:"token_sha256"`
	Request     Bytes  `json:"request"`
	MAC         Bytes  `json:"mac"`
	AgeSeconds  int    `json:"age_seconds"`
	ExpiresIn   int    `json:"expires_in"`
	Address     string `json:"address"` // the address that the request came from, as the broker saw it
}

// ApprovePairing is the body of POST /v1/pairings/approve; the bearer is an owner. Agent,
// session, manifest and records are created in one transaction.
type ApprovePairing struct {
	Lookup      string         `json:"lookup"`
	TokenSHA256 string         `json:"token_sha256"`
	Grant       Bytes          `json:"grant"`
	GrantMAC    Bytes          `json:"grant_mac"`
	Manifest    SignedManifest `json:"manifest"`
	Records     []SealedRecord `json:"records"`
}

// DenyPairing is the body of POST /v1/pairings/deny; MAC is HMAC-SHA256(K, "deny").
type DenyPairing struct {
	Lookup      string `json:"lookup"`
	TokenSHA256 string `json:"token_sha256"`
	MAC         Bytes  `json:"mac"`
}

// Granted answers GET /v1/pairings/self with 200 once the owner approved.
type Granted struct {
	Grant    Bytes          `json:"grant"`
	GrantMAC Bytes          `json:"grant_mac"`
	Manifest SignedManifest `json:"manifest"`
}

// PairingEntry is one line of GET /v1/pairings: what this owner approved or denied.
type PairingEntry struct {
	Kind   string        `json:"kind"`  // "pair" or "recover"
	State  string        `json:"state"` // "approved", "denied", "used", "expired"
	Wallet wallet.Wallet `json:"wallet,omitzero"`
	Host   string        `json:"host"`
	Alias  string        `json:"alias"`
	Time   int64         `json:"time"`
}

// PairingList answers GET /v1/pairings, newest first.
type PairingList struct {
	Pairings []PairingEntry `json:"pairings"`
}

// Identity answers GET /v1/identities/{identity}.
type Identity struct {
	Wallet wallet.Wallet `json:"wallet"`
}
