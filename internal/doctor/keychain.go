package doctor

import (
	"fmt"
	"slices"

	"github.com/agentkeys/agentkeys/internal/health/condition"
	"github.com/agentkeys/agentkeys/internal/words"
)

const hintProbe = "agentkeys-daemon probe"

func (f Facts) keychain() []finding {
	k := f.Keychain
	switch {
	case f.inKeychain() && f.foreign():
		return one(f.othersKeychain())
	case f.inKeychain():
		return one(f.keychainInUse())
	case k.State == "":
		return one(warn("keychain", "", "not looked at: %s", k.Why).follows("settings"))
	case k.State == words.KeychainDisabled:
		return one(ok("keychain", "not used: %s", k.Why))
	case k.State == words.KeychainUnlocked:
		return one(ok("keychain", "%s", k.say()))
	case f.Settings.Store == words.ModeKeychain:
		return one(fail("keychain", f.openKeychain(), "%s; session_store is keychain, so nothing can be saved", k.say()))
	case k.State == words.KeychainLocked, k.State == words.KeychainHung, k.State == words.KeychainDenied:
		return one(warn("keychain", f.openKeychain(), "%s; sessions are kept in the file", k.say()).says(condition.FellBackToFile))
	}
	return one(ok("keychain", "%s; sessions are kept in the file", k.say()))
}

// keychainInUse is for a session that needs the keychain.
func (f Facts) keychainInUse() finding {
	k := f.Keychain
	switch k.State {
	case "":
		return fail("keychain", "", "the session lies in it, and it was not looked at: %s", k.Why).follows("settings")
	case words.KeychainUnlocked:
		return ok("keychain", "%s", k.say())
	case words.KeychainPromptsOnWrite:
		return warn("keychain", "", "%s; the next save goes to the file", k.say()).says(condition.FellBackToFile)
	case words.KeychainDisabled:
		return fail("keychain", f.useKeychain(),
			"the session lies in it, and it is not to be used: %s", k.Why).says(condition.KeychainUnavailable)
	}
	return fail("keychain", f.openKeychain(), "%s; the session lies in it and cannot be read now", k.say()).says(condition.KeychainLocked, condition.KeychainUnavailable)
}

// othersKeychain: a keychain belongs to the login session of its user, which root cannot enter.
func (f Facts) othersKeychain() finding {
	hint := f.asItsUser()
	if f.Socket != nil && f.Socket.Daemon != nil {
		if state := f.Socket.Daemon.Storage.KeychainState; state == words.KeychainUnlocked {
			return ok("keychain", "%s, says the daemon of uid %d", state, f.Slot.UID)
		} else if state != "" {
			return fail("keychain", hint, "%s, says the daemon of uid %d; the session lies in it and cannot be read now", state, f.Slot.UID).
				says(condition.KeychainLocked, condition.KeychainUnavailable)
		}
	}
	return warn("keychain", hint, "the session lies in that of uid %d, which only this user reaches", f.Slot.UID).says(condition.KeychainLocked, condition.KeychainUnavailable)
}

// asItsUser is what root types to find out more. The user cannot enter the home of the units, but
// can reach the keychain.
func (f Facts) asItsUser() string {
	if f.stranded() {
		return condition.AsRoot(f.renew())
	}
	if f.Boot != nil && f.Boot.UnitsHome {
		return fmt.Sprintf("sudo -u '#%d' XDG_RUNTIME_DIR=/run/user/%d agentkeys-daemon probe", f.Slot.UID, f.Slot.UID)
	}
	return fmt.Sprintf("sudo -u '#%d' XDG_RUNTIME_DIR=/run/user/%d agentkeys-daemon doctor --wallet %s", f.Slot.UID, f.Slot.UID, f.Wallet)
}

// stranded reports whether the session is in a keychain although the units' common user, who never
// has one, has to read it: the slot was taken from a desktop user.
func (f Facts) stranded() bool { return f.inKeychain() && f.Boot != nil && f.Boot.Shared }

// useKeychain restores access to a session that the settings exclude.
func (f Facts) useKeychain() string {
	if f.owner() {
		return "AGENTKEYS_SESSION_STORE=auto agentkeys whoami"
	}
	return "agentkeys-daemon run --wallet " + f.Wallet + " --session-store auto"
}

// openKeychain is what a person does to unlock the keychain. On Linux the login to the desktop unlocks
// a keyring, and the probe tells whether it did.
func (f Facts) openKeychain() string {
	if f.stranded() {
		return condition.AsRoot(f.renew())
	}
	if f.Keychain.Provider == words.ProviderMacOS && f.Keychain.State == words.KeychainLocked {
		return "security unlock-keychain"
	}
	return hintProbe
}

func (k Keychain) say() string {
	text := string(k.State)
	if k.Provider != "" && k.Provider != words.ProviderUnknown {
		text += " (" + k.Provider + ")"
	}
	if k.Reason != "" {
		text += ": " + k.Reason
	}
	return text
}

// hintLasting leads to a home whose content is kept.
const hintLasting = "export AGENTKEYS_HOME=DIR   (DIR on a disk; then pair or init anew, before the session is gone)"

const sessionAtBoot = "session_at_boot"

// sessionAtBoot checks whether the session can be read at boot without a person at the machine.
func (f Facts) sessionAtBoot() []finding {
	opens := f.sessionOpens()
	if !f.Slot.live() || f.Slot.Volatile == "" {
		return opens
	}
	opens = slices.DeleteFunc(opens, func(c finding) bool { return c.Status == OK })
	return append(opens, warn(sessionAtBoot, hintLasting, "no: %s", f.Slot.Volatile))
}

func (f Facts) sessionOpens() []finding {
	const name = sessionAtBoot
	if f.Boot == nil || !f.Slot.live() {
		return nil
	}
	if !f.inKeychain() {
		return one(ok(name, "yes: it is in the file"))
	}
	toFile := f.sudo() + "agentkeys-daemon recover " + f.Wallet + " --broker URL --session-store file"
	if f.Boot.UnitsHome {
		toFile = "sudo agentkeys-daemon recover " + f.Wallet + " --broker URL --run-as agentkeys"
	}
	switch k := f.Keychain; {
	case f.foreign():
		return one(warn(name, f.asItsUser(), "not known: the keychain is that of uid %d, which only this user reaches", f.Slot.UID).follows("keychain"))
	case k.Provider == words.ProviderMacOS:
		return one(warn(name, "", "only after %s has logged in, which opens the login keychain", f.user()))
	case k.Provider != words.ProviderGnome:
		return one(warn(name, toFile, "not known: this keychain does not say whether it opens without a person").follows(notSeen(k)...))
	case k.Cipher == CipherPassword:
		return one(warn(name, toFile, "no: the keyring has a password and is locked after a reboot; the daemon waits until somebody opens it"))
	case k.Cipher != CipherNone:
		return one(warn(name, toFile, "not known: the keyring's file was not found, so whether it has a password cannot be told"))
	case !f.Boot.Lingering:
		return one(warn(name, f.linger(), "no: the keyring has no password, but runs only while %s is logged in", f.user()))
	}
	return one(ok(name, "yes: the keyring has no password, so it is plain text on this disk, no better than the file"))
}

// notSeen lists what follows from a keychain without a provider.
func notSeen(k Keychain) []string {
	if k.Provider == "" {
		return []string{"keychain"}
	}
	return nil
}

func (f Facts) user() string {
	if f.Boot == nil || f.Boot.UserName == "" {
		return "its user"
	}
	return f.Boot.UserName
}
