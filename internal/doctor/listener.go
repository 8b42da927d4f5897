package doctor

import (
	"github.com/agentkeys/agentkeys/internal/health/condition"
	"github.com/agentkeys/agentkeys/internal/protocol"
)

// Listener is a TCP address that the settings give the instance in addition to its sockets.
type Listener struct {
	Address string
	From    string // where that was set
	Holder  string // the process that listens there instead of this daemon; empty: none, or not known
	Serves  bool   // it answered with this instance's metrics
	Other   bool   // Holder is the daemon of another wallet
}

// metrics checks metrics_listen: which process holds the address, and which setting changes it.
func (f Facts) metrics() []finding {
	const name = "metrics_listen"
	l := f.Metrics
	if l == nil || f.Socket == nil {
		return nil
	}
	refused, running := conditionOf(f.Socket.Daemon, string(condition.MetricsUnavailable)), f.Socket.Daemon != nil
	switch {
	case l.Holder != "" && l.Other:
		return one(warn(name, "agentkeys-daemon run --print-config --wallet "+f.Wallet,
			"%s (%s) is taken by %s: each wallet needs an address of its own, in <wallet>.toml", l.Address, l.From, l.Holder).says(condition.MetricsUnavailable))
	case l.Holder != "":
		return one(warn(name, "ss -ltnp", "%s (%s) is taken by %s", l.Address, l.From, l.Holder).says(condition.MetricsUnavailable))
	case refused != "":
		return one(warn(name, "ip -brief address", "%s", refused).says(condition.MetricsUnavailable))
	case l.Serves:
		return one(ok(name, "%s serves this instance's metrics", l.Address))
	case running:
		return one(warn(name, f.Holder.Reload(f.EUID),
			"nothing answered with this instance's metrics at http://%s/metrics: the daemon may run since before %s named it", l.Address, l.From))
	case f.Socket.State == SocketClosed || f.Socket.State == SocketSilent:
		return nil
	}
	return one(ok(name, "%s is free", l.Address))
}

// conditionOf is the message of a condition that holds, else empty. A nil daemon has none.
func conditionOf(d *protocol.Status, code string) string {
	if d == nil {
		return ""
	}
	for _, c := range d.Conditions {
		if c.Code == code {
			return c.Message
		}
	}
	return ""
}
