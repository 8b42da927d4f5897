package protocol

import (
	"github.com/agentkeys/agentkeys/internal/scope"
	"github.com/agentkeys/agentkeys/internal/wallet"
	"github.com/agentkeys/agentkeys/internal/words"
)

// Details of a 403 `denied` of agent.sock: the scope, the rules, or a caller that the daemon cannot see.
const (
	// DetailScope: the owner did not put the service into the agent's scope.
	DetailScope = "this service is not in the agent's scope"
	// DetailRules: no rule in the settings matches the caller.
	DetailRules = "the daemon's rules do not let this caller ask"
	// DetailOtherPIDs: the kernel tells the caller's user but not its process.
	DetailOtherPIDs = "the caller is in another PID namespace (another container), so the daemon cannot see which process asks"
	// DetailOtherUsers: the caller's user may have no number where the daemon runs.
	DetailOtherUsers = "the kernel shows the caller as user 65534 (nobody, or a user of another container), whom no rule lets ask"
)

// CallerUnseen reports whether agent.sock refused a caller that the daemon cannot see.
func (p *Problem) CallerUnseen() bool {
	return p.Detail == DetailOtherPIDs || p.Detail == DetailOtherUsers
}

// Reason is why agent.sock refused.
func (p *Problem) Reason() string {
	switch {
	case p.Detail == DetailScope:
		return ReasonScope
	case p.Detail == DetailRules, p.CallerUnseen():
		return ReasonRules
	}
	return ReasonRevoked
}

// The documents of agent.sock, as api/local.openapi.yaml describes them.

// CredentialInfo describes a credential without its value: one line of GET /v1/credentials
// and of `agentkeys list --json`. AgeSeconds is the time since the broker last answered; -1:
// it has not answered in this run of the daemon.
type CredentialInfo struct {
	Service    string `json:"service"`
	Revision   uint64 `json:"revision"`
	AgeSeconds int64  `json:"age_seconds"`
}

// LocalCredentials answers GET /v1/credentials.
type LocalCredentials struct {
	Credentials []CredentialInfo `json:"credentials"`
}

// LocalValue answers GET /v1/credentials/{service}: Credential when the value is
// UTF-8, else CredentialBase64 (standard alphabet, padded).
type LocalValue struct {
	CredentialInfo

	Credential       *string `json:"credential,omitempty"`
	CredentialBase64 []byte  `json:"credential_base64,omitempty"`
}

// LocalSession answers GET /v1/session; never the token.
type LocalSession struct {
	Wallet         wallet.Wallet `json:"wallet"`
	Scope          scope.Scope   `json:"scope"`
	CreatedAt      int64         `json:"created_at"`
	ExpiresAt      int64         `json:"expires_at"`
	Generation     uint64        `json:"generation"`
	StorageBackend words.Backend `json:"storage_backend"`
}

// Status answers GET /v1/status and is what `agentkeys-daemon status --json` prints.
type Status struct {
	Wallet     wallet.Wallet     `json:"wallet"`
	State      words.State       `json:"state"`
	Session    *StatusSession    `json:"session"`
	Storage    StatusStorage     `json:"storage"`
	Sync       StatusSync        `json:"sync"`
	Broker     StatusBroker      `json:"broker,omitzero"` // not known, or the daemon is older than this field
	Conditions []StatusCondition `json:"conditions"`
}

// StatusSession is null while no session is loaded.
type StatusSession struct {
	Scope      scope.Scope `json:"scope"`
	CreatedAt  int64       `json:"created_at"`
	ExpiresAt  int64       `json:"expires_at"`
	Generation uint64      `json:"generation"`
}

// StatusBroker says which broker the daemon uses and what named it: `session` (the broker of
// pair or recover), or the settings file, variable or flag.
type StatusBroker struct {
	URL  string `json:"url"` // with its key pins; empty: not known
	From string `json:"from"`
}

// BrokerOfSession is From where no setting names a broker.
const BrokerOfSession = "session"

// StatusStorage says where the session is stored and the state of the keychain.
type StatusStorage struct {
	Backend       words.Backend       `json:"backend"`
	KeychainState words.KeychainState `json:"keychain_state"`
}

// StatusSync says when the broker last answered. Last is 0 and AgeSeconds -1: never.
type StatusSync struct {
	Last       int64 `json:"last"`
	AgeSeconds int64 `json:"age_seconds"`
	Online     bool  `json:"online"`
}

// StatusCondition is one condition that holds now.
type StatusCondition struct {
	Code     string `json:"code"`
	Severity string `json:"severity"` // "warning" or "error"
	Message  string `json:"message"`
	Hint     string `json:"hint"` // the command that mends it; may be empty
}
