package health

import (
	"slices"

	"github.com/agentkeys/agentkeys/internal/health/condition"
	"github.com/agentkeys/agentkeys/internal/words"
)

// Ready reports whether an instance in this state can serve credentials. reasons holds the
// state and the codes of the conditions that hold, whether it is ready or not. It holds no
// texts, because anyone on the host may see it.
//
// A parked instance is ready, since it serves what it has. There is no function for liveness:
// a process that answers is live, because a restart would not improve any state.
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
