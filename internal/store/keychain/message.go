package keychain

import (
	"errors"
	"slices"

	"github.com/agentkeys/agentkeys/internal/store"
	"github.com/agentkeys/agentkeys/internal/words"
)

// ChildCommand is the first argument that makes a program of ours the child.
const ChildCommand = "keychain-child"

// maxMessage bounds a request and an answer, in bytes of JSON.
const maxMessage = 1 << 20

// The operations of a request.
const (
	opGet    = "get"
	opPut    = "put"
	opDelete = "delete"
)

// The outcomes of an answer.
const (
	outcomeOK          = "ok"
	outcomeAbsent      = "absent"
	outcomeTooBig      = string(words.ResultTooBig)
	outcomeUnavailable = "unavailable"
	outcomeRefused     = "refused"
)

// request goes to the child's stdin as one JSON document.
type request struct {
	Operation    string `json:"operation"`
	Account      string `json:"account"`
	Value        []byte `json:"value,omitempty"`
	Milliseconds int64  `json:"milliseconds"` // after which the child ends itself
}

// answer comes from its stdout. State and Reason belong to outcomeUnavailable. They are texts
// of this package and never the provider's, which could quote the secret.
type answer struct {
	Outcome string              `json:"outcome"`
	Value   []byte              `json:"value,omitempty"`
	State   words.KeychainState `json:"state,omitempty"`
	Reason  string              `json:"reason,omitempty"`
}

// errRefused: the provider answered with an error that says nothing of its state.
var errRefused = errors.New("the keychain refused")

func answerOf(value []byte, err error) answer {
	var unavailable *store.UnavailableError
	switch {
	case err == nil:
		return answer{Outcome: outcomeOK, Value: value}
	case errors.Is(err, store.ErrKeychainAbsent):
		return answer{Outcome: outcomeAbsent}
	case errors.Is(err, store.ErrTooBig):
		return answer{Outcome: outcomeTooBig}
	case errors.As(err, &unavailable):
		return answer{Outcome: outcomeUnavailable, State: unavailable.State, Reason: unavailable.Reason}
	}
	return answer{Outcome: outcomeRefused}
}

func (a answer) err() error {
	switch a.Outcome {
	case outcomeOK:
		return nil
	case outcomeAbsent:
		return store.ErrKeychainAbsent
	case outcomeTooBig:
		return store.ErrTooBig
	case outcomeUnavailable:
		if slices.Contains(words.KeychainStates(), a.State) {
			return &store.UnavailableError{State: a.State, Reason: a.Reason}
		}
	}
	return errRefused
}
