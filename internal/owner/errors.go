package owner

import (
	"errors"
	"fmt"

	"github.com/agentkeys/agentkeys/internal/seal"
	"github.com/agentkeys/agentkeys/internal/words"
)

// Each error is one decision of the caller. Errors of store, seal, pairing, scope and protocol
// are passed on unchanged.
var (
	// ErrNoAccount: no account is open on this machine; `agentkeys init` (exit 78).
	ErrNoAccount = errors.New("no account is open on this machine")
	// ErrNotOwner: the slot holds an agent's session, which has no owner's keys (exit 77).
	ErrNotOwner = errors.New("this session belongs to an agent, and only its owner may do that")
	// ErrOtherAccount: the slot already holds another account; nothing was changed.
	ErrOtherAccount = errors.New("another account is open in this slot")
	// ErrSetupToken: a new account needs the broker's set-up token (usage).
	ErrSetupToken = errors.New("a new account needs the broker's set-up token")
	// ErrSetupRefused: the broker does not accept the set-up token (exit 77).
	ErrSetupRefused = errors.New("the broker does not accept this set-up token")
	// ErrUnknownAccount: the broker that was named does not know the account that is open
	// on this machine; nothing was changed.
	ErrUnknownAccount = errors.New("that broker does not know this account, so nothing was changed")
	// ErrBrokerURL: no broker is named (usage).
	ErrBrokerURL = errors.New("no broker is named")
	// ErrNotFound: no such agent or identity.
	ErrNotFound = errors.New("not found")
	// ErrNoCredential: the owner's manifest does not list such a credential.
	ErrNoCredential = errors.New("no such credential")
	// ErrScope: the owner's manifest does not give this agent the service (exit 77).
	ErrScope = errors.New("it is not in the scope that the owner signed")
	// ErrAll: a service cannot be removed from the scope `all` (usage).
	ErrAll = errors.New("the scope is all, of which nothing can be removed: say what shall stay")
	// ErrAuditFile: the file that says which row of the audit trail was seen last cannot
	// be read.
	ErrAuditFile = errors.New("read " + words.FileAudit)
	// ErrNoBoard: no board shows this code, or its ten minutes are over.
	ErrNoBoard = errors.New("no board shows this code")
	// ErrTaken: an alias or e-mail address already names another agent, or names two.
	ErrTaken = errors.New("already in use")
	// ErrWithheld: the broker did not return a record that the manifest lists, or returned
	// different bytes (`record_withheld`).
	ErrWithheld = errors.New("the broker did not give the record that the manifest lists")
	// ErrRewritten: the broker's audit trail is not the one seen before (`audit_rewritten`).
	ErrRewritten = errors.New("the broker's audit trail was rewritten")
	// ErrKind: the pairing request is of another kind than the command expects (usage).
	ErrKind = errors.New("the request is of another kind")
	// ErrEmails: the agent has as many e-mail addresses as it may have.
	ErrEmails = fmt.Errorf("an agent has at most %d e-mail addresses", seal.MaxEmails)
	// ErrLimit: the wallet is full.
	ErrLimit = errors.New("a wallet holds at most 64 credentials")
)

func notFound(format string, args ...any) error {
	return fmt.Errorf("%s: %w", fmt.Sprintf(format, args...), ErrNotFound)
}

func noCredential(service string) error { return fmt.Errorf("%s: %w", service, ErrNoCredential) }
