package checkup_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/agentkeys/agentkeys/internal/doctor"
	"github.com/agentkeys/agentkeys/internal/session"
)

const swapsHeader = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"

// A kernel without the memory controller (Raspberry Pi OS switches it off) cannot keep
// the unit's memory out of swap.
func TestSwapThatTheUnitCannotForbid(t *testing.T) {
	t.Parallel()
	const file = "/var/swap                               file\t\t102396\t\t0\t\t-2\n"
	const zram = "/dev/zram0                              partition\t102396\t\t0\t\t100\n"
	for name, c := range map[string]struct {
		controllers, swaps string
		warned             bool
	}{
		"a file, no controller":   {"cpuset cpu io pids", swapsHeader + zram + file, true},
		"a file, and no cgroups":  {"", swapsHeader + file, true},
		"a file, the controller":  {"cpuset cpu io memory pids", swapsHeader + file, false},
		"compressed memory alone": {"cpuset cpu io pids", swapsHeader + zram, false},
		"no swap":                 {"cpuset cpu io pids", swapsHeader, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHost(t)
			h.write(filepath.Join(h.root, "sys/fs/cgroup/cgroup.controllers"), c.controllers+"\n")
			h.write(filepath.Join(h.root, "proc/swaps"), c.swaps)
			got := h.check(session.ID{}, "memory")
			if warned := strings.Contains(got.Message, "/var/swap"); warned != c.warned || warned && got.Status != doctor.Warn {
				t.Fatalf("got %+v", got)
			}
		})
	}
}
