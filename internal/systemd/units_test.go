package systemd_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// valuesOf reads KEY=VALUE lines of a unit file; systemd takes the last one of these keys.
func valuesOf(t *testing.T, path string) map[string]string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]string{}
	for line := range strings.Lines(string(data)) {
		if key, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok && !strings.HasPrefix(key, "#") {
			values[key] = value
		}
	}
	return values
}

// endings are the keys that decide what becomes of a unit whose program ended.
func endings(values map[string]string) map[string]string {
	out := map[string]string{}
	for _, key := range []string{
		"Restart", "RestartSec", "RestartPreventExitStatus", "RestartForceExitStatus", "SuccessExitStatus",
		"StartLimitIntervalSec", "RuntimeDirectoryPreserve",
	} {
		if value, ok := values[key]; ok {
			out[key] = value
		}
	}
	return out
}

// Only a stop that is asked for ends a unit for good: systemd counts exit 0 and four
// signals as clean, so on-failure is not enough. 64 and 78 are what no restart mends.
func TestOnlyAStopEndsAUnitForGood(t *testing.T) {
	t.Parallel()
	daemon := map[string]string{
		"Restart": "always", "RestartSec": "2s", "RestartPreventExitStatus": "64 78",
		"StartLimitIntervalSec": "0", "RuntimeDirectoryPreserve": "restart",
	}
	for name, want := range map[string]map[string]string{
		"agentkeys-daemon@.service":      daemon,
		"agentkeys-daemon@.user.service": daemon,
		"agentkeys-broker.service": {
			"Restart": "always", "RestartSec": "2s", "RestartPreventExitStatus": "64", "StartLimitIntervalSec": "0",
		},
	} {
		if diff := cmp.Diff(want, endings(valuesOf(t, filepath.Join("..", "..", "packaging", "systemd", name)))); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	if got := endings(valuesOf(t, "desktop-user.conf")); len(got) > 0 {
		t.Errorf("the drop-in of pair --run-as changes that: %v", got)
	}
}

// A broker that grows without end must not take the machine with it.
func TestTheBrokersMemoryIsBounded(t *testing.T) {
	t.Parallel()
	values := valuesOf(t, filepath.Join("..", "..", "packaging", "systemd", "agentkeys-broker.service"))
	for key, want := range map[string]string{"MemoryHigh": "60%", "MemoryMax": "75%"} {
		if values[key] != want {
			t.Errorf("%s=%s, want %s", key, values[key], want)
		}
	}
}
