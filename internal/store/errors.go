package store

import (
	"errors"

	"github.com/agentkeys/agentkeys/internal/store/slotdir"
	"github.com/agentkeys/agentkeys/internal/words"
)

// Each error is one decision of the caller, and says which. Those of package slotdir are
// repeated here, so that a caller knows one package.
var (
	// ErrNoSession: the slot was never saved, or was deleted. The only error that
	// may lead to pairing.
	ErrNoSession = errors.New("no session")
	// ErrUnavailable: a session may be there, but the keychain cannot be read now;
	// see UnavailableError. Wait, do not pair.
	ErrUnavailable = errors.New("the keychain cannot be read now")
	// ErrInDoubt: a delete or put could not be confirmed, and may still be done; Reconcile
	// finishes it.
	ErrInDoubt = errors.New("the keychain did not confirm the change")
	// ErrInconsistent: the head names a generation that the keychain does not show, or the
	// keychain has an entry and there is no head. A person must act.
	ErrInconsistent = errors.New("the slot and the keychain disagree")
	// ErrTooBig: the payload is larger than the slot can hold. A programming error
	// or a keychain-only store on macOS.
	ErrTooBig = slotdir.ErrTooBig
	// ErrInsecure: owner, mode, links or type of a file or directory are wrong; see
	// InsecureError for the command that mends it. Nothing was changed.
	ErrInsecure = slotdir.ErrInsecure
	// ErrCorrupt: the head is empty, incomplete, or of another slot. It is kept under another
	// name and never overwritten. A person must act.
	ErrCorrupt = errors.New("corrupt session file")
	// ErrBusy: another process held the slot's lock for the whole deadline. Try again.
	ErrBusy = slotdir.ErrBusy
	// ErrName: not the name of a state file. A programming error.
	ErrName = slotdir.ErrName
	// ErrNewer: the head was written by a newer version of this program. Upgrade.
	ErrNewer = errors.New("the slot was written by a newer version")

	// ErrKeychainAbsent: the Keychain port has no such entry.
	ErrKeychainAbsent = errors.New("no such keychain entry")
)

// UnavailableError says why the keychain cannot be read. Is ErrUnavailable.
type UnavailableError struct {
	State  words.KeychainState
	Reason string
}

func (e *UnavailableError) Error() string {
	if e.Reason != "" {
		return "keychain " + string(e.State) + ": " + e.Reason
	}
	return "keychain " + string(e.State)
}

// Is makes errors.Is(err, ErrUnavailable) true.
func (e *UnavailableError) Is(target error) bool { return target == ErrUnavailable }

// InsecureError names what is wrong and the command that mends it. Is ErrInsecure.
type InsecureError = slotdir.InsecureError
