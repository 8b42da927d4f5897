package main

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"strconv"

	"github.com/agentkeys/agentkeys/internal/access"
	"github.com/agentkeys/agentkeys/internal/cli"
	"github.com/agentkeys/agentkeys/internal/paths"
	"github.com/agentkeys/agentkeys/internal/store"
	"github.com/agentkeys/agentkeys/internal/systemd"
)

// placement is where a pairing puts its agent: as which user the package's unit runs, and whether it
// is started.
type placement struct {
	RunAs string `placeholder:"USER" help:"Whose keyring holds the session, and as whom the unit runs (root, with the package)."`
	Start bool   `help:"Enable and start the unit when the owner has approved (root, with the package)."`
}

// Errors of the flags; all are usage errors.
var (
	errNotRoot      = errors.New("--run-as and --start need root: units and their home are root's")
	errNotInstalled = errors.New("--run-as and --start need the package: its unit agentkeys-daemon@.service is not installed")
	errOtherHome    = errors.New("--run-as and --start work in the units' home alone")
	errRunAsRoot    = errors.New("--run-as root: an agent's daemon never runs as root")
	errRunAsNobody  = errors.New("--run-as names no user of this machine")
	errRunAsUnfit   = errors.New("--run-as names a user that is to hold no agent's session")
)

// unit is the package's unit for this pairing; nil if there is none and none is asked for. Errors are
// usage errors.
func (l *placement) unit(p *program, recovers bool) (*unit, error) {
	u := &unit{p: p, start: l.Start, recovers: recovers}
	home, err := p.home()
	if err != nil {
		return nil, err
	}
	if l.RunAs == "" && !l.Start {
		if os.Geteuid() != 0 || !paths.UnitsHome(home) || !u.machine.Installed() {
			return nil, nil //nolint:nilnil // a missing unit is no error
		}
		return u, nil
	}
	switch {
	case os.Geteuid() != 0:
		return nil, cli.UsageOf(errNotRoot, "sudo "+name+" pair --broker URL --run-as USER --start")
	case !u.machine.Installed():
		return nil, cli.UsageOf(errNotInstalled, "sudo apt install ./agentkeys_*.deb")
	case !paths.UnitsHome(home):
		return nil, cli.UsageOf(fmt.Errorf("%w, which is not %s", errOtherHome, home), "sudo systemd-tmpfiles --create, and unset AGENTKEYS_HOME")
	}
	return u, l.runsAs(p, u)
}

// runsAs looks the user up. Naming the package's user undoes an earlier --run-as.
func (l *placement) runsAs(p *program, u *unit) error {
	if l.RunAs == "" {
		return nil
	}
	found, err := lookupUser(l.RunAs)
	switch {
	case err != nil:
		return cli.UsageOf(fmt.Errorf("%w: %.64q", errRunAsNobody, l.RunAs), "getent passwd")
	case found.Name == paths.PackageUser:
		u.back = true
		return nil
	case found.UID == 0:
		return cli.UsageOf(errRunAsRoot, name+" pair --help")
	case unfit(found):
		return cli.UsageOf(fmt.Errorf("%w: %.64q", errRunAsUnfit, found.Name), name+" pair --help")
	}
	u.user = found
	p.slotUser = &store.IDs{UID: found.UID, GID: found.GID}
	return nil
}

// unfit reports whether u is a user for programs that have nothing to do with an agent.
func unfit(u *systemd.User) bool {
	return u.UID == access.OverflowUID || u.Name == "nobody" || u.Name == paths.BrokerUser
}

// lookupUser takes a name or a number.
func lookupUser(text string) (*systemd.User, error) {
	found, err := user.Lookup(text)
	if _, numeric := strconv.ParseUint(text, 10, 31); err != nil && numeric == nil {
		found, err = user.LookupId(text)
	}
	if err != nil {
		return nil, err
	}
	out := &systemd.User{Name: found.Username}
	if out.UID, err = strconv.Atoi(found.Uid); err != nil {
		return nil, err
	}
	if out.GID, err = strconv.Atoi(found.Gid); err != nil {
		return nil, err
	}
	if group, err := user.LookupGroupId(found.Gid); err == nil {
		out.Group = group.Name // otherwise its number is used
	}
	return out, nil
}
