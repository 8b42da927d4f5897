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
		warned             string
		backing            string // of the zram
	}{
		"a file, no controller":       {"cpuset cpu io pids", swapsHeader + zram + file, "/var/swap", "none"},
		"a file, and no cgroups":      {"", swapsHeader + file, "/var/swap", ""},
		"a file, the controller":      {"cpuset cpu io memory pids", swapsHeader + file, "", ""},
		"compressed memory alone":     {"cpuset cpu io pids", swapsHeader + zram, "", "none"},
		"no swap":                     {"cpuset cpu io pids", swapsHeader, "", ""},
		"memory that is written back": {"cpuset cpu io pids", swapsHeader + zram, "/dev/zram0", "/dev/loop0"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHost(t)
			h.write(filepath.Join(h.root, "sys/fs/cgroup/cgroup.controllers"), c.controllers+"\n")
			h.write(filepath.Join(h.root, "proc/swaps"), c.swaps)
			if c.backing != "" {
				h.write(filepath.Join(h.root, "sys/block/zram0/backing_dev"), c.backing+"\n")
			}
			got := h.check(session.ID{}, "memory")
			if c.warned == "" && strings.Contains(got.Message, "may be written") {
				t.Fatalf("got %+v", got)
			}
			if c.warned != "" && (got.Status != doctor.Warn || !strings.Contains(got.Message, "may be written to "+c.warned)) {
				t.Fatalf("got %+v", got)
			}
		})
	}
}
