package doctor

import (
	"strings"
	"time"

	"github.com/agentkeys/agentkeys/internal/condition"
)

const (
	// firstYear: a board without a battery starts in 1970 or at its image's date.
	firstYear = 2024
	// clockSlack is how far the clock may be from the broker's, as in the daemon.
	clockSlack = 5 * time.Minute

	// HintBrokerClock is for a broker whose clock jumped.
	HintBrokerClock = "on the broker's machine, once its clock is right: agentkeys-broker clock --accept --data DIR"
	// HintBrokerDisk is what helps a broker that is read_only.
	HintBrokerDisk = "on the broker's machine: df -h; sudo journalctl -u agentkeys-broker"

	hintClock = "sudo timedatectl set-ntp true"
	hintSwap  = "sudo sed -i 's/$/ cgroup_enable=memory/' /boot/firmware/cmdline.txt && sudo reboot"
)

func (f Facts) settings() []finding {
	var checks []finding
	for _, p := range f.Settings.Problems {
		checks = append(checks, fail("settings", "agentkeys-daemon run --print-config", "%s", p).says(condition.SettingsRefused))
	}
	if checks == nil {
		checks = one(ok("settings", "understood; session_store is %s (%s)", f.Settings.Store, f.Settings.StoreFrom))
	}
	return checks
}

func (f Facts) memory() []finding {
	var open []string
	if f.Memory.Dumpable {
		open = append(open, "others of this user may read the memory of our programs")
	}
	if f.Memory.CoreLimit > 0 {
		open = append(open, "a crash may leave a core file")
	}
	if f.Memory.Err != "" {
		open = append(open, "the kernel does not say how memory is protected: "+f.Memory.Err)
	}
	hint := ""
	if f.Memory.Swap != "" {
		if f.Memory.Cmdline {
			hint = hintSwap
		}
		open = append(open, "keys in memory may be written to "+f.Memory.Swap+": there is no cgroup v2 memory controller, by which a unit keeps out of swap")
	}
	if len(open) > 0 {
		return one(warn("memory", hint, "%s", strings.Join(open, "; ")))
	}
	return one(ok("memory", "closed to others of this user, no core files"))
}

func (f Facts) clock() []finding {
	now := f.Now.UTC().Format(time.RFC3339)
	switch {
	case f.Now.Year() < firstYear:
		return one(warn("clock", hintClock, "%s: it was not set since the machine started", now).says(condition.ClockNotSet, condition.ClockWrong))
	case f.Now.Before(f.Clock.Floor):
		return one(warn("clock", hintClock, "%s is before %s, which is certainly past", now, f.Clock.Floor.UTC().Format(time.RFC3339)).says(condition.ClockNotSet, condition.ClockWrong))
	case !f.Clock.Known:
		return one(ok("clock", "%s; this system does not say whether it is synchronised", now))
	case !f.Clock.Synced:
		return one(warn("clock", hintClock, "%s: it is not synchronised", now).follows("broker_clock"))
	}
	return one(ok("clock", "%s, synchronised", now))
}

func (f Facts) broker() []finding {
	b := f.Broker
	switch {
	case b == nil:
		return nil
	case b.URL == "":
		return one(warn("broker", "", "not known: no settings name it and the session cannot be read").
			follows("settings", "keychain", "permissions", "slot", "session"))
	case b.Bad != "":
		return one(fail("broker", f.rename(), "%s", b.Bad))
	case b.Certificate:
		return one(fail("broker", f.rename(), "%s: its certificate is refused: %s", b.name(), b.Away).says(condition.BrokerCertificateChanged))
	case b.Away != "":
		return one(warn("broker", b.ask(), "%s: %s", b.name(), b.Away).says(condition.BrokerAway))
	}
	checks := one(ok("broker", "%s answers, version %s", b.name(), b.Version))
	if b.ReadOnly != "" {
		checks = one(warn("broker", HintBrokerDisk, "%s answers, version %s, and is read_only: %s; it refuses what it would have to write", b.name(), b.Version, b.ReadOnly).
			says(condition.BrokerAway))
	}
	if b.ClockHeld {
		return append(checks, warn("broker_clock", HintBrokerClock, "the broker's clock jumped: no session lapses there and no unused approval ends until a person accepts it; it differs by %s", b.Offset.Round(time.Second)))
	}
	if b.Offset.Abs() > clockSlack {
		return append(checks, warn("broker_clock", hintClock, "the broker's clock differs by %s", b.Offset.Round(time.Second)).
			says(condition.ClockWrong).follows(string(condition.ClockNotSet)))
	}
	return append(checks, ok("broker_clock", "within %s of the broker's", clockSlack))
}

// name is the address, and who names it.
func (b *Broker) name() string {
	if b.From == "" {
		return b.URL
	}
	return b.URL + " (from " + b.From + ")"
}

// rename is the command for a broker that is not the session's: a setting that names it is
// to be looked at, else the session is made anew.
func (f Facts) rename() string {
	if from := f.Broker.From; f.owner() || from == "" || from == brokerOfSession {
		return f.renew()
	}
	return strings.TrimSuffix("agentkeys-daemon run --print-config --wallet "+f.Wallet, " --wallet ")
}

// brokerOfSession is Broker.From where no setting names it.
const brokerOfSession = "session"

// ask is the command that asks the broker as any program does.
func (b *Broker) ask() string {
	if b.Pinned {
		return "curl -k " + b.URL + "/v1/info" // curl knows no authority for it
	}
	return "curl " + b.URL + "/v1/info"
}
