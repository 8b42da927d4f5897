package slotdir

import "errors"

var (
	// ErrInsecure: owner, mode, links or type of a file or directory are wrong; see
	// InsecureError for the command that mends it. Nothing was changed.
	ErrInsecure = errors.New("insecure session file")
	// ErrBusy: another process held the slot's lock for the whole deadline. Try again.
	ErrBusy = errors.New("the slot is in use by another process")
	// ErrTooLong: a file has more bytes than the caller allows. Nothing of it is returned.
	ErrTooLong = errors.New("larger than allowed")
	// ErrTooBig: what is to be written is larger than the slot can hold.
	ErrTooBig = errors.New("the session is too big for this store")
	// ErrName: not the name of a state file. A programming error.
	ErrName = errors.New("not the name of a state file")
)

// InsecureError names what is wrong and the command that mends it. Is ErrInsecure.
type InsecureError struct {
	Path string
	What string // "mode 0644, must be 0600"
	Fix  string // "chmod 600 /home/pi/.agentkeys/master/session.json"
}

func (e *InsecureError) Error() string { return e.Path + ": " + e.What }

// Is makes errors.Is(err, ErrInsecure) true.
func (e *InsecureError) Is(target error) bool { return target == ErrInsecure }
