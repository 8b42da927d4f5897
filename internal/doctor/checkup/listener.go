package checkup

import (
	"context"

	"github.com/agentkeys/agentkeys/internal/doctor"
	"github.com/agentkeys/agentkeys/internal/health/condition"
	"github.com/agentkeys/agentkeys/internal/portholder"
	"github.com/agentkeys/agentkeys/internal/protocol"
)

// metrics requests the metrics of the slot's daemon at the address of metrics_listen. If they are not
// there, or no daemon runs, it finds the process that holds the address.
func (m *machine) metrics(ctx context.Context, f *doctor.Facts) {
	l := f.Metrics
	if l == nil || f.Socket == nil ||
		f.Socket.State == doctor.SocketClosed || f.Socket.State == doctor.SocketSilent {
		return
	}
	if f.Socket.Daemon != nil && !says(f.Socket.Daemon, condition.MetricsUnavailable) {
		if l.Serves = portholder.Wallet(ctx, l.Address) == f.Wallet; l.Serves {
			return
		}
	}
	if h, found := portholder.Find(ctx, l.Address); found && h.Wallet != f.Wallet {
		l.Holder, l.Other = h.String(), h.Wallet != ""
	}
}

func says(d *protocol.Status, code condition.Code) bool {
	for _, c := range d.Conditions {
		if c.Code == string(code) {
			return true
		}
	}
	return false
}
