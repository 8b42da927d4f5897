package paths

import (
	"os/user"
	"strconv"
)

// PackageUser is the user of the package's units.
const PackageUser = "agentkeys"

// BrokerUser is the user of the broker's package. It has no agent's session.
const BrokerUser = "agentkeys-broker"

// UnitsHome reports whether home is the home of the package's units, /var/lib/agentkeys.
func UnitsHome(home string) bool { return home == systemHome }

// SlotUser is the user who owns the slots that root works on: in the package's home the user
// of its units. ok is false if the caller works on its own slots.
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
