package paths

import (
	"os/user"
	"strconv"
)

// PackageUser is the user of the package's units.
const PackageUser = "agentkeys"

// BrokerUser is the user of the broker's package, who keeps no agent's session.
const BrokerUser = "agentkeys-broker"

// UnitsHome reports whether home is that of the package's units, /var/lib/agentkeys.
func UnitsHome(home string) bool { return home == systemHome }

// SlotUser is the user whose slots root works on: in the package's home that of its
// units. false: whoever calls works on slots of his own.
func SlotUser(home string, euid int) (uid, gid int, ok bool) {
	if euid != 0 || home != systemHome {
		return 0, 0, false
	}
	u, err := user.Lookup(PackageUser)
	if err != nil {
		return 0, 0, false
	}
	uid, uidErr := strconv.Atoi(u.Uid)
	gid, gidErr := strconv.Atoi(u.Gid)
	return uid, gid, uidErr == nil && gidErr == nil
}
