package main

import (
	"os"
	"strconv"

	"github.com/agentkeys/agentkeys/internal/agent/enroll"
	"github.com/agentkeys/agentkeys/internal/cli"
	"github.com/agentkeys/agentkeys/internal/pairing"
	"github.com/agentkeys/agentkeys/internal/paths"
	"github.com/agentkeys/agentkeys/internal/systemd"
)

// offer asks a person at a terminal whether the new agent is to run as the desktop user who called
// sudo, if that user has a keyring. Without a terminal, and if --run-as was given, it does not ask
// and the unit's own user is used.
func (p *program) offer(r enroll.Request, l *placement) {
	if l.RunAs != "" || r.Kind != pairing.KindPair || p.flags.JSON || !cli.IsTerminal(p.stdin) || !cli.IsTerminal(p.stdout.Raw()) {
		return
	}
	uid, err := strconv.Atoi(p.getenv("SUDO_UID"))
	if err != nil || uid == 0 || os.Geteuid() != 0 {
		return
	}
	home, err := p.home()
	machine := systemd.Machine{}
	if err != nil || !paths.UnitsHome(home) || !machine.Installed() || !machine.HasKeyring(uid) {
		return
	}
	u, err := lookupUser(strconv.Itoa(uid))
	if err != nil || u.Name == paths.PackageUser {
		return
	}
	if p.confirmed("Run as " + u.Name + ", so that the session lies in the keyring of " + u.Name +
		"? Every program of " + u.Name + " can read the wallet then.") {
		l.RunAs = u.Name
	}
}
