package doctor_test

import (
	"github.com/agentkeys/agentkeys/internal/doctor"
	"github.com/agentkeys/agentkeys/internal/protocol"
)

func metricsVerdicts() map[string]verdict {
	const name, address = "metrics_listen", "127.0.0.1:9479"
	const taken = "nothing listens on the address of metrics_listen; it is tried again: " + address
	listener := func(l doctor.Listener, condition string) func(*doctor.Facts) {
		return func(f *doctor.Facts) {
			l.Address, l.From = address, "/etc/agentkeys/daemon.toml"
			f.Metrics = &l
			if condition != "" {
				f.Socket.Daemon.Conditions = append(f.Socket.Daemon.Conditions,
					protocol.StatusCondition{Code: "metrics_unavailable", Severity: "warning", Message: condition})
			}
		}
	}
	stopped := func(change func(*doctor.Facts)) func(*doctor.Facts) {
		return func(f *doctor.Facts) {
			f.Socket = &doctor.Socket{State: doctor.SocketAbsent, UID: -1, Limit: 107}
			change(f)
		}
	}
	return map[string]verdict{
		"metrics are served": {listener(doctor.Listener{Serves: true}, ""), name, doctor.OK, address + " serves", ""},
		"metrics: nothing answers": {
			listener(doctor.Listener{}, ""), name, doctor.Warn, "nothing answered with this instance's metrics at http://" + address + "/metrics", healthy().Holder.Reload(healthy().EUID),
		},
		"metrics: another wallet has the address": {
			listener(doctor.Listener{Holder: "the AgentKeys daemon of wallet 0x2", Other: true}, taken), name, doctor.Warn,
			"/etc/agentkeys/daemon.toml) is taken by the AgentKeys daemon of wallet 0x2: each wallet needs", "agentkeys-daemon run --print-config --wallet " + healthy().Wallet,
		},
		"metrics: a program has the address": {
			listener(doctor.Listener{Holder: "python3 (pid 7)"}, taken), name, doctor.Warn, "taken by python3 (pid 7)", "ss -ltnp",
		},
		"metrics: the address is not there": {
			listener(doctor.Listener{}, taken+" is no address of this machine now"), name, doctor.Warn, "no address of this machine", "ip -brief address",
		},
		"metrics: nothing runs, free":  {stopped(listener(doctor.Listener{}, "")), name, doctor.OK, "free", ""},
		"metrics: nothing runs, taken": {stopped(listener(doctor.Listener{Holder: "nginx (pid 7)"}, "")), name, doctor.Warn, "nginx", "ss -ltnp"},
	}
}
