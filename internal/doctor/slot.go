package doctor

import (
	"fmt"
	"time"

	"github.com/agentkeys/agentkeys/internal/health/condition"
)

func (f Facts) permissions() []finding {
	if f.Slot == nil {
		return nil
	}
	var checks []finding
	for _, i := range f.Slot.Insecure {
		checks = append(checks, fail("permissions", i.Fix, "%s: %s", i.Path, i.What).says(condition.SlotInsecure))
	}
	if checks == nil && (f.Slot.Saved || f.Slot.Corrupt != "" || f.Slot.Newer) {
		checks = one(ok("permissions", "%s is private", f.Slot.Path))
	}
	return checks
}

func (f Facts) slot() []finding {
	const name = "slot"
	s := f.Slot
	switch {
	case s == nil:
		return one(warn(name, f.sudo()+"agentkeys-daemon pair --broker URL", "no session is kept in %s", f.Home))
	case s.Unread != "":
		return one(fail(name, "", "%s", s.Unread))
	case s.Newer:
		return one(fail(name, "upgrade agentkeys", "%s was written by a newer version", s.Path).says(condition.SlotCorrupt))
	case s.Corrupt != "":
		return one(fail(name, f.renew(), "%s", s.Corrupt).says(condition.SlotCorrupt))
	case len(s.Insecure) > 0 && !s.Saved:
		return one(fail(name, s.Insecure[0].Fix, "not read, because it is insecure").follows("permissions"))
	case s.Removed:
		return one(fail(name, f.renew(), "the session was removed from this machine, generation %d", s.Generation))
	case !s.Saved && f.Socket.served() && f.Socket.UID < 0:
		return one(warn(name, f.lookAs(), "there is none in %s", s.Path).follows("socket"))
	case !s.Saved && f.Socket.served() && f.Socket.UID == f.EUID:
		return one(warn(name, f.lookAs(), "its daemon has it in another home than this one; that of the package's units is closed to their users"))
	case !s.Saved && f.Socket.served():
		return one(warn(name, f.lookAs(), "its daemon runs as another user, so the slot is not this user's to see").follows("socket"))
	case !s.Saved && f.owner():
		return one(fail(name, "agentkeys init", "there is no session in %s", s.Path))
	case !s.Saved:
		return one(fail(name, f.renew(), "this wallet is not paired on this machine (%s)", s.Path))
	}
	return one(ok(name, "generation %d, in the %s, saved %s", s.Generation, s.Where, stamp(s.SavedAt)))
}

// lookAs is the command that sees a slot which this user does not: as root, or from root as
// the user whose daemon has it. It is empty for root, of whose daemons none is in the way.
func (f Facts) lookAs() string {
	look := hintDoctor + f.Wallet
	switch {
	case f.EUID != 0:
		return "sudo " + look
	case f.Socket != nil && f.Socket.UID > 0:
		return fmt.Sprintf("sudo -u '#%d' -H %s", f.Socket.UID, look)
	}
	return ""
}

// disk says what keeps the slot from being written. It was examined without a write.
func (f Facts) disk() []finding {
	switch d := f.Disk; {
	case d == nil:
		return nil
	case d.ReadOnly:
		return one(fail(string(condition.StateReadOnly), condition.Remount(d.Path, d.Point), "%s lies on %s, which is read only", d.Path, d.Mount))
	case d.Full:
		return one(fail(string(condition.NoSpace), condition.Room(d.Path), "%s lies on %s, which is full", d.Path, d.Mount))
	}
	return nil
}

// powerCut checks whether a power cut can undo the last save.
func (f Facts) powerCut() []finding {
	if !f.Slot.live() || f.Slot.NoSync == "" {
		return nil
	}
	return one(warn("power_cut", "", "%s cannot sync directories: a power cut may take back the last change", f.Slot.NoSync))
}

func (f Facts) fence() []finding {
	const name = "fence"
	if f.Slot == nil || !f.Slot.Saved {
		return nil
	}
	d := f.Slot.Doubt
	switch {
	case d == nil:
		return one(ok(name, "no change of the keychain is unconfirmed"))
	case f.owner():
		return one(warn(name, "agentkeys whoami", "%s", d.say()))
	case d.Over && f.Socket.served():
		return one(warn(name, "", "%s; its provider is gone, so the daemon clears it when it looks next", d.say()).says(condition.StoreInDoubt))
	case d.Over:
		return one(warn(name, f.start(), "%s; its provider is gone, so the daemon clears it at its next start", d.say()))
	}
	return one(warn(name, hintProbe,
		"%s, and nothing new is put there; it ends when the keychain can be read after its provider, the bus or the machine was restarted", d.say()).
		says(condition.StoreInDoubt))
}

func (d Doubt) say() string {
	return "in doubt since " + stamp(d.Since) + ": the keychain did not confirm a " + d.Operation
}

func (f Facts) session() []finding {
	const name = "session"
	s := f.Session
	switch {
	case s == nil:
		return nil
	case s.Inconsistent:
		return one(fail(name, f.renew(), "the head file and the keychain disagree").says(condition.SlotInconsistent))
	case s.Unread != "":
		return one(fail(name, f.openKeychain(), "%s", s.Unread).follows("keychain"))
	case s.Ended != "":
		return one(fail(name, f.renew(), "its owner ended it (%s)", s.Ended).says(condition.SessionRevoked))
	case !s.Servable:
		return one(fail(name, f.renew(), "it has no device keys, so no credential can be opened").says(condition.DeviceKeyMissing))
	case s.ExpiresAt.Before(f.Now):
		return one(warn(name, f.renew(), "expired %s by this machine's clock; only the broker ends it", stamp(s.ExpiresAt)))
	}
	return one(ok(name, "good until %s", stamp(s.ExpiresAt)))
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
