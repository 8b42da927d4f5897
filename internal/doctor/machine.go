package doctor

import (
	"strings"
	"time"

	"github.com/agentkeys/agentkeys/internal/health/condition"
)

const (
	// firstYear: a board without a battery clock starts in 1970 or at the date of its image.
	firstYear = 2024

	hintClock = "sudo timedatectl set-ntp true"
	hintSwap  = "sudo sed -i 's/$/ cgroup_enable=memory/' /boot/firmware/cmdline.txt && sudo reboot"
)

func (f Facts) settings() []finding {
	var checks []finding
	for _, p := range f.Settings.Problems {
		checks = append(checks, fail("settings", "man agentkeys-daemon.toml", "%s", p).says(condition.SettingsRefused))
	}
	if checks == nil {
		checks = one(ok("settings", "understood; session_store is %s (%s)", f.Settings.Store, f.Settings.StoreFrom))
	}
	if s := f.Settings; s.Broker != "" {
		checks = append(checks, warn("settings", f.Holder.Reload(f.EUID), "%s names the broker %s, and the daemon stays at another until it reads its settings again", s.BrokerFrom, s.Broker))
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
