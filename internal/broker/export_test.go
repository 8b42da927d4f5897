package broker

import (
	"strconv"
	"time"

	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/wallet"
)

// RowsOfADay is how many rows one wallet writes that tries every kind at every step.
func RowsOfADay(start time.Time, step time.Duration) int {
	b, p, rows := newBudget(), part{account: wallet.New(), wallet: wallet.New()}, 0
	kinds := []kind{{protocol.ActionEventsLost, whereLocal}, {protocol.ActionAccessGranted, whereLocal}, {protocol.ActionAccessDenied, whereLocal}}
	for _, action := range []string{protocol.ActionSynced, protocol.ActionAccessDenied, protocol.ActionProofFailed, protocol.ActionRenewed, protocol.ActionResumed} {
		kinds = append(kinds, kind{action, whereBroker})
	}
	for now := start; now.Before(start.Add(24 * time.Hour)); now = now.Add(step) {
		for _, p.kind = range kinds {
			if b.Admit(p, protocol.AuditRow{Result: resultOK}, now) {
				rows++
			}
		}
		for _, held := range b.due(now, false) {
			rows += len(held)
		}
	}
	return rows
}

// CountedKeys is how many keys are counted after n of them at the first time, but the last
// one at then, and how many keys were looked at for that in all.
func CountedKeys(n int, now, then time.Time) (keys, looks int) {
	w := newWindow(1)
	for i := range n {
		at := now
		if i == n-1 {
			at = then
		}
		if len(w.times) >= w.pruneAt {
			looks += len(w.times)
		}
		w.Take(strconv.Itoa(i), at)
	}
	return len(w.times), looks + n
}
