package health

import (
	"slices"

	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/words"
)

// other replaces every label value that is not in its set, so that neither a broker nor a
// caller can create an unlimited number of series.
const other = "other"

// set is the values that a label may have.
type set []string

func (s set) fit(value string) string {
	if slices.Contains(s, value) {
		return value
	}
	return other
}

type labels struct {
	provider, state, backend                     set
	operation, storeResult, fallback             set
	request, code, renewal, iface, requestResult set
}

func newLabels() labels {
	states, results := setOf(words.KeychainStates()), setOf(words.StoreResults())
	return labels{
		provider:      words.Providers(),
		state:         states,
		backend:       setOf(words.Backends()),
		operation:     set{"save", "load", "delete", "promote", "reconcile"},
		storeResult:   results,
		fallback:      slices.Concat(states, results, set{"put", "read_back", "not_seen"}),
		request:       requests(),
		code:          codes(),
		renewal:       slices.Concat(set{"error"}, codes()),
		iface:         set{words.AgentSocket},
		requestResult: set{"ok", "denied", "not_found", "unavailable", "error"},
	}
}

// setOf are the words of a list.
func setOf[W ~string](list []W) set {
	out := make(set, len(list))
	for i, word := range list {
		out[i] = string(word)
	}
	return out
}

// requests are the operations of brokerclient.
func requests() set {
	return set{
		"info", "create_account", "open_account", "open_pairing", "poll_pairing", "find_pairing", "approve_pairing", "deny_pairing", "pairings",
		"session", "end_session", "renew", "resume", "agents", "agent", "teardown", "revoke", "reopen",
		"manifest", "put_manifest", "record", "records", "sync", "report", "identity", "audit",
	}
}

// codes are the broker's codes and those that the client returns for other answers.
func codes() set {
	return set{
		"ok", "pending", "not_modified", "canceled",
		protocol.CodeBadRequest, protocol.CodeTokenUnknown, protocol.CodeTokenRetired, protocol.CodeSessionExpired,
		protocol.CodeSessionRevoked, protocol.CodeDenied, protocol.CodeDeniedScope, protocol.CodeApprovalNeeded,
		protocol.CodePairingDenied, protocol.CodeNotFound, protocol.CodeConflict, protocol.CodeAlreadyConsumed,
		protocol.CodeCloneSuspected, protocol.CodePairingExpired, protocol.CodeSlowDown, protocol.CodeUnavailable,
		protocol.CodeReadOnly, protocol.CodeRestored, protocol.CodeUnreachable, protocol.CodeCertificate,
	}
}
