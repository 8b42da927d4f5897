package e2e_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/agentkeys/agentkeys/test/needs"
)

// A daemon in a terminal is ended there; no unit knows of it.
func TestADaemonInATerminalIsNeverEndedBySystemctl(t *testing.T) {
	t.Parallel()
	pi, w := withRuntimeDirectory(t)
	d := pi.daemon(w)
	d.reaches("online")
	kill := fmt.Sprintf("kill %d", d.cmd.Process.Pid)
	elsewhere := pi.with("XDG_RUNTIME_DIR", "") // the socket is not looked for where it is: the lock tells
	for title, r := range map[string]result{
		"forget":                      pi.run("", "agentkeys-daemon", "forget", "--wallet", w, "--yes"),
		"a second daemon":             pi.run("", "agentkeys-daemon", "run", "--wallet", w),
		"forget, from elsewhere":      elsewhere.run("", "agentkeys-daemon", "forget", "--wallet", w, "--yes"),
		"status, from elsewhere":      elsewhere.run("", "agentkeys-daemon", "status", "--wallet", w),
		"doctor, from elsewhere":      elsewhere.run("", "agentkeys-daemon", "doctor", "--wallet", w),
		"a second one from elsewhere": elsewhere.run("", "agentkeys-daemon", "run", "--wallet", w),
	} {
		if said := r.stdout + r.stderr; r.code == exitOK || strings.Contains(said, "systemctl") || !strings.Contains(said, kill) {
			t.Errorf("%s: exit %d, %s", title, r.code, said)
		}
	}
}

// The kernel tells a daemon in a PID namespace of its own the user of a caller outside
// and not its process: the refusal says so.
func TestACallerOfAnotherPIDNamespaceIsToldWhy(t *testing.T) {
	t.Parallel()
	needs.PIDNamespaces(t)
	pi, w := withRuntimeDirectory(t)
	pi.start("", "/usr/bin/unshare", "--pid", "--fork", "--kill-child", "--mount-proc", filepath.Join(bin, "agentkeys-daemon"), "run", "--wallet", w)
	eventually(t, patience, "a refusal", func() (string, bool) {
		r := pi.run("", "agentkeys", "list", "--wallet", w)
		return r.stderr, r.code == exitDenied
	})
	const why = "another PID namespace"
	for title, r := range map[string]result{
		"list":   pi.run("", "agentkeys", "list", "--wallet", w),
		"read":   pi.run("", "agentkeys", "read", "openrouter", "--wallet", w),
		"status": pi.run("", "agentkeys-daemon", "status", "--wallet", w),
		"doctor": pi.run("", "agentkeys-daemon", "doctor", "--wallet", w),
	} {
		if said := r.stdout + r.stderr; !strings.Contains(said, why) || !strings.Contains(said, "docker run --pid=") {
			t.Errorf("%s: exit %d, %s", title, r.code, said)
		}
	}
}
