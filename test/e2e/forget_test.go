package e2e_test

import (
	"strings"
	"testing"
)

// What forget says in each case tells a person what became of the session, and what to type.
func TestWhatForgetSays(t *testing.T) {
	t.Parallel()
	_, _, pi, w := examined(t)
	const other = "0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed"
	for _, c := range []struct {
		stdin string
		args  []string
		exit  int
		says  []string
	}{
		{"", []string{}, exitUsage, []string{"--wallet is missing", "hint: agentkeys-daemon status"}},
		{"", []string{"--wallet", "bot"}, exitUsage, []string{"hint: agentkeys-daemon status"}},
		{"", []string{"--wallet", other, "--yes"}, exitNoSession, []string{"nothing to forget", "hint: agentkeys-daemon status"}},
		{"n\n", []string{"--wallet", w}, exitFault, []string{"until its owner approves a recovery. [y/N] ", "not confirmed", "hint: agentkeys-daemon forget --wallet " + w + " --yes"}},
		{"", []string{"--wallet", w}, exitFault, []string{"[y/N] \nagentkeys-daemon: error: not confirmed"}},
		{"", []string{"--wallet", w, "--json"}, exitFault, []string{`"code":"not_confirmed"`}},
		{"y\n", []string{"--wallet", w}, exitOK, []string{"is gone from this machine", "until its owner ends it", "agentkeys revoke " + w}},
		{"", []string{"--wallet", w}, exitOK, []string{"was removed from this machine before"}},
	} {
		r := pi.run(c.stdin, "agentkeys-daemon", append([]string{"forget"}, c.args...)...)
		for _, want := range c.says {
			if said := r.stderr + r.stdout; r.code != c.exit || !strings.Contains(said, want) {
				t.Errorf("%v: exit %d, %q is not in\n%s", c.args, r.code, want, said)
			}
		}
	}
}
