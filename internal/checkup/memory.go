package checkup

import (
	"os"
	"slices"
	"strings"

	"github.com/agentkeys/agentkeys/internal/doctor"
	"github.com/agentkeys/agentkeys/internal/harden"
)

func (m *machine) memory() doctor.Memory {
	state, err := harden.Look()
	out := doctor.Memory{Dumpable: state.Dumpable, CoreLimit: state.CoreLimit, Swap: m.swap()}
	if err != nil {
		out.Err = err.Error()
	}
	return out
}

// swap is where memory of ours may end on a disk: the first swap that is no compressed
// memory, on a kernel without the controller that the unit's MemorySwapMax= needs.
func (m *machine) swap() string {
	controllers, _ := os.ReadFile(m.at("/sys/fs/cgroup/cgroup.controllers"))
	if slices.Contains(strings.Fields(string(controllers)), "memory") {
		return ""
	}
	swaps, _ := os.ReadFile(m.at("/proc/swaps"))
	for i, line := range strings.Split(string(swaps), "\n") {
		f := strings.Fields(line)
		if i > 0 && len(f) > 0 && !strings.HasPrefix(f[0], "/dev/zram") {
			return f[0]
		}
	}
	return ""
}
