package agent_test

import (
	"testing"

	"github.com/agentkeys/agentkeys/internal/agent"
	"github.com/agentkeys/agentkeys/internal/words"
)

// The line claims nothing that the daemon did not see: what is served, and why not more.
func TestLineForTheServiceManager(t *testing.T) {
	t.Parallel()
	for title, tt := range map[string]struct {
		seen agent.Seen
		want string
	}{
		"online":                         {agent.Seen{Online: true, Records: 2}, "online: serving 2 credentials"},
		"online with one":                {agent.Seen{Online: true, Records: 1}, "online: serving 1 credential"},
		"online, nothing synced yet":     {agent.Seen{Online: true, WithoutManifest: true}, "online: serving nothing yet"},
		"online without device keys":     {agent.Seen{Online: true, WithoutKeys: true, WithoutManifest: true}, "online: serving nothing"},
		"starting from the cache":        {agent.Seen{Records: 2}, "starting: the broker has not answered yet, serving 2 credentials"},
		"starting after too long":        {agent.Seen{Records: 2, Over: true}, "starting: nothing is served until the broker answers"},
		"starting, the slot is in use":   {agent.Seen{Phase: words.StateStarting, Reason: "the slot is in use by another program"}, "starting: the slot is in use by another program"},
		"offline":                        {agent.Seen{Tried: true, Records: 2}, "offline: serving 2 credentials"},
		"offline, nothing synced before": {agent.Seen{Tried: true, WithoutManifest: true}, "offline: serving nothing yet"},
		"offline for too long":           {agent.Seen{Tried: true, Records: 2, Over: true}, "offline for longer than the owner allows: nothing is served"},
		"parked":                         {agent.Seen{Parked: true, Records: 2}, "parked, another device uses a copy of this session: serving 2 credentials, and nothing new"},
		"revoked":                        {agent.Seen{Ended: true}, "revoked by the owner: nothing is served"},
		"waiting":                        {agent.Seen{Phase: words.StateWaitingForKeychain, Reason: "waiting for the keychain: locked"}, "waiting for the keychain: locked"},
		"blocked":                        {agent.Seen{Phase: words.StateBlocked, Reason: "corrupt session file"}, "blocked: corrupt session file"},
	} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			if got := tt.seen.Line(); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
