package access_test

import (
	"strings"
	"testing"

	"github.com/agentkeys/agentkeys/internal/access"
)

// A user's manager decides what stands below user@N.service. Nothing there becomes a
// system unit, and no text becomes two names.
func FuzzUnitOfCgroup(f *testing.F) {
	f.Add("0::/user.slice/user-1000.slice/user@1000.service/app.slice/", "my-agent.service")
	f.Add("1:name=systemd:/system.slice/", "a.service\n0::/b.service")
	f.Add("0::/system.slice/", "../_a.scope")
	f.Fuzz(func(t *testing.T, prefix, rest string) {
		const own = "user@1000.service"
		got := access.UnitOfCgroup("0::/user.slice/user-1000.slice/" + own + "/" + rest + "\n")
		if got != "" && got != own && !strings.Contains(rest, "\n") {
			t.Errorf("%q below %s became %q", rest, own, got)
		}
		if got := access.UnitOfCgroup(prefix + rest); strings.ContainsAny(got, "/\n") {
			t.Errorf("%q became %q", prefix+rest, got)
		}
	})
}
