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
	_, err = os.Stat(m.at("/boot/firmware/cmdline.txt"))
	out.Cmdline = err == nil
	return out
}

// swap is the swap space through which our memory may reach a disk: the first that is not only
// compressed memory, on a kernel without the controller that the unit's MemorySwapMax= needs.
func (m *machine) swap() string {
	controllers, _ := os.ReadFile(m.at("/sys/fs/cgroup/cgroup.controllers"))
	if slices.Contains(strings.Fields(string(controllers)), "memory") {
		return ""
	}
	swaps, _ := os.ReadFile(m.at("/proc/swaps"))
	for i, line := range strings.Split(string(swaps), "\n") {
		f := strings.Fields(line)
		if i > 0 && len(f) > 0 && !m.inMemory(f[0]) {
			return f[0]
		}
	}
	return ""
}

// inMemory reports whether device is a zram that writes nothing back to a disk.
func (m *machine) inMemory(device string) bool {
	name, ok := strings.CutPrefix(device, "/dev/zram")
	back, err := os.ReadFile(m.at("/sys/block/zram" + name + "/backing_dev"))
	return ok && (err != nil || strings.TrimSpace(string(back)) == "none")
}
