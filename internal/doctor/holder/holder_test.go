package holder_test

import (
	"testing"

	"github.com/agentkeys/agentkeys/internal/doctor/holder"
	"github.com/agentkeys/agentkeys/internal/wallet"
)

const (
	name = "0x00112233445566778899aabbccddeeff00112233"
	unit = "agentkeys-daemon@" + name
)

func TestHowADaemonWasStartedSaysWhatStopsIt(t *testing.T) {
	t.Parallel()
	w, err := wallet.Parse(name)
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		pid, uid, euid int
		cgroup         string
		stop           string
	}{
		"the machine's unit":               {7, 990, 1000, "0::/system.slice/system-agentkeys\\x2ddaemon.slice/" + unit + ".service\n", "sudo systemctl stop " + unit},
		"the machine's unit, for root":     {7, 990, 0, "0::/system.slice/" + unit + ".service\n", "sudo systemctl stop " + unit},
		"the user's unit":                  {7, 1000, 1000, "0::/user.slice/user-1000.slice/user@1000.service/app.slice/" + unit + ".service\n", "systemctl --user stop " + unit},
		"a user's unit, for root":          {7, 1000, 0, "0::/user.slice/user-1000.slice/user@1000.service/app.slice/" + unit + ".service\n", "sudo -u '#1000' XDG_RUNTIME_DIR=/run/user/1000 systemctl --user stop " + unit},
		"a terminal":                       {7, 1000, 1000, "0::/user.slice/user-1000.slice/session-3.scope\n", "kill 7"},
		"a terminal, for root":             {7, 1000, 0, "0::/user.slice/user-1000.slice/session-3.scope\n", "kill 7"},
		"a terminal of another user":       {7, 1000, 1001, "0::/user.slice/user-1000.slice/session-3.scope\n", "sudo kill 7"},
		"a login without a session":        {7, 0, 0, "0::/system.slice/ssh.service\n", "kill 7"},
		"cron":                             {7, 0, 0, "0::/system.slice/cron.service\n", "kill 7"},
		"a terminal of the user's desktop": {7, 1000, 1000, "0::/user.slice/user-1000.slice/user@1000.service/app.slice/gnome-terminal-server.service\n", "kill 7"},
		"another instance's unit":          {7, 990, 0, "0::/system.slice/agentkeys-daemon@0x10112233445566778899aabbccddeeff00112233.service\n", "kill 7"},
		"a user's scope of the same name":  {7, 1000, 1000, "0::/user.slice/" + unit + ".scope\n", "kill 7"},
		"a container":                      {7, 0, 0, "0::/system.slice/docker-0123.scope\n", "kill 7"},
		"no cgroups":                       {7, 1000, 1000, "", "kill 7"},
		"another PID namespace":            {0, 1000, 1000, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := holder.New(tt.pid, tt.uid, tt.cgroup, w)
			if got := h.Stop(tt.euid); got != tt.stop {
				t.Errorf("got %q, want %q", got, tt.stop)
			}
			if h.String() == "" || h.Seen() != (tt.pid > 0) {
				t.Errorf("%q, %v", h, h.Seen())
			}
		})
	}
}

func TestTheReloadIsTheOneOfWhoStartedIt(t *testing.T) {
	t.Parallel()
	for want, h := range map[string]holder.Holder{
		"sudo systemctl reload agentkeys-daemon@0x1":   {PID: 7, Unit: "agentkeys-daemon@0x1"},
		"systemctl --user reload agentkeys-daemon@0x1": {PID: 7, UID: 1000, Unit: "agentkeys-daemon@0x1", User: true},
		"kill -HUP 7":      {PID: 7, UID: 1000},
		"sudo kill -HUP 7": {PID: 7, UID: 999},
		"":                 {},
	} {
		if got := h.Reload(1000); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
