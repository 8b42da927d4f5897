package protocol

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// ProblemType is the media type of errors (RFC 9457).
const ProblemType = "application/problem+json"

// EpochHeader names the broker's epoch in every answer. In a request it says that the owner
// knows of that epoch, although the account is not open in it yet.
const EpochHeader = "Agentkeys-Epoch"

// Stable codes of problems (docs/spec/architecture.md#problems-and-their-codes). Scripts and
// clients decide by the code, never by title or detail.
const (
	CodeBadRequest      = "bad_request"                // 400
	CodeTokenUnknown    = "token_unknown"              // 401, with a challenge
	CodeTokenRetired    = "token_retired"              // 401, with a challenge
	CodeSessionExpired  = "session_expired"            // 401, with a challenge
	CodeSessionRevoked  = "session_revoked"            // 401
	CodeDenied          = "denied"                     // 403
	CodeDeniedScope     = "denied_scope"               // 403
	CodeApprovalNeeded  = "approval_needed"            // 403
	CodePairingDenied   = "pairing_denied"             // 403, with deny_mac
	CodeNotFound        = "not_found"                  // 404
	CodeConflict        = "conflict"                   // 409, and 412 for a revision
	CodeAlreadyConsumed = "already_consumed"           // 409
	CodeCloneSuspected  = "clone_suspected"            // 409
	CodePairingExpired  = "pairing_expired"            // 410
	CodeTooLarge        = "bad_request"                // 413 carries the code of 400
	CodeSlowDown        = "slow_down"                  // 429, with Retry-After
	CodeUnavailable     = "unavailable"                // 503
	CodeReadOnly        = "read_only"                  // 503
	CodeRestored        = "restored"                   // 503
	CodePairingForged   = "pairing_forged"             // made by the client: a MAC was wrong
	CodeManifestRefused = "manifest_refused"           // made by the client: signature, owner or revision was wrong
	CodeRecordWithheld  = "record_withheld"            // made by the client: a listed record did not arrive
	CodeUnreachable     = "broker_away"                // made by the client: no answer, or none of a broker
	CodeCertificate     = "broker_certificate_changed" // made by the client: the certificate was refused
)

// Problem is an error reply.
type Problem struct {
	Type      string `json:"type,omitempty"`
	Title     string `json:"title,omitempty"`
	Status    int    `json:"status"`
	Detail    string `json:"detail,omitempty"`
	Code      string `json:"code"`
	Challenge string `json:"challenge,omitempty"` // with 401: what `resume` signs; valid for 60 s and one use
	DenyMAC   string `json:"deny_mac,omitempty"`  // with pairing_denied: HMAC-SHA256(K, "deny"), base64url

	RetryAfter int `json:"-"` // seconds, from the header; 0 if there was none
}

// Error is the code and the detail; neither holds a secret.
func (p *Problem) Error() string {
	if p.Detail == "" {
		return fmt.Sprintf("%s (HTTP %d)", p.Code, p.Status)
	}
	return fmt.Sprintf("%s: %s (HTTP %d)", p.Code, p.Detail, p.Status)
}

// HasCode reports whether err is the broker's own answer with one of the codes.
func HasCode(err error, codes ...string) bool {
	var p *Problem
	return errors.As(err, &p) && slices.Contains(codes, p.Code)
}

// RetryAfter is how long the broker asks to wait before the next try; 0 where it did not
// say, and for an err that is no answer of it.
func RetryAfter(err error) time.Duration {
	var p *Problem
	if errors.As(err, &p) {
		return time.Duration(p.RetryAfter) * time.Second
	}
	return 0
}
