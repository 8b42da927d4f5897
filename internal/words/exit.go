package words

// The exit codes of every program, with the numbers of sysexits.h where it has one.
// Scripts and systemd units depend on them: a unit is not restarted after ExitUsage and
// ExitNoSession, which a person has to resolve.
const (
	ExitOK          = 0
	ExitFault       = 1  // a fault; also not found, conflict, and a corrupt store
	ExitUsage       = 64 // a wrong argument or setting
	ExitUnreachable = 69 // the broker or the daemon cannot be reached
	ExitDenied      = 77 // denied by scope or rule, or revoked
	ExitNoSession   = 78 // not paired, or no owner's session

	// Of `agentkeys run` alone, as POSIX shells have them: its child's own codes are passed on.
	ExitNotExecutable = 126
	ExitNoProgram     = 127
)
