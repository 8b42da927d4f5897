package health

import (
	"slices"

	"github.com/agentkeys/agentkeys/internal/condition"
)

// The states of an instance (design 4, life).
const (
	StateStarting           = "starting"
	StateWaitingForKeychain = "waiting_for_keychain"
	StateOnline             = "online"
	StateOffline            = "offline"
	StateParked             = "parked"
	StateRevoked            = "revoked"
	StateUnpaired           = "unpaired"
	StateBlocked            = "blocked"
)

// Ready reports whether an instance in this state can serve credentials. reasons
// holds the state and the codes of the conditions that hold, ready or not: no
// text, so anyone on the host may see them.
//
// A parked instance serves what it has. A process that answers at all is live:
// there is no state that a restart would mend.
func Ready(state string, active []Active) (ready bool, reasons []string) {
	ready = slices.Contains([]string{StateOnline, StateOffline, StateParked}, state)
	reasons = append(reasons, "state "+state)
	for _, a := range active {
		ready = ready && !stopsServing(a.Code)
		reasons = append(reasons, string(a.Code))
	}
	return ready, reasons
}

func stopsServing(code condition.Code) bool {
	return slices.Contains([]condition.Code{condition.SessionRevoked, condition.OfflineTooLong, condition.DeviceKeyMissing}, code)
}
