package health

import (
	"slices"

	"github.com/agentkeys/agentkeys/internal/condition"
	"github.com/agentkeys/agentkeys/internal/words"
)

// Ready reports whether an instance in this state can serve credentials. reasons
// holds the state and the codes of the conditions that hold, ready or not: no
// text, so anyone on the host may see them.
//
// A parked instance serves what it has. A process that answers at all is live:
// there is no state that a restart would mend.
func Ready(state words.State, active []Active) (ready bool, reasons []string) {
	ready = state.Serves()
	reasons = append(reasons, "state "+string(state))
	for _, a := range active {
		ready = ready && !stopsServing(a.Code)
		reasons = append(reasons, string(a.Code))
	}
	return ready, reasons
}

func stopsServing(code condition.Code) bool {
	return slices.Contains([]condition.Code{condition.SessionRevoked, condition.OfflineTooLong, condition.DeviceKeyMissing}, code)
}
