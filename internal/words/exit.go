package words

// The exit codes of every program, as sysexits.h numbers them where it has a number.
// Scripts and systemd units decide by them: a unit is not restarted after ExitUsage and
// ExitNoSession, which a person has to mend.
const (
	ExitOK          = 0
	ExitFault       = 1  // a fault; also not found, conflict, and a store that is corrupt
	ExitUsage       = 64 // a wrong argument or setting
	ExitUnreachable = 69 // the broker or the daemon cannot be reached
	ExitDenied      = 77 // denied by scope or rule, or revoked
	ExitNoSession   = 78 // not paired, or no owner's session
)
