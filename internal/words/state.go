package words

// State is what a daemon as a whole is doing. GET /v1/status and `agentkeys-daemon status`
// show it.
type State string

// The states of a daemon. StateOnline, StateOffline and StateParked serve credentials,
// the others do not.
const (
	StateStarting           State = "starting"             // the session is not loaded yet
	StateWaitingForKeychain State = "waiting_for_keychain" // the session is in a keychain that cannot be read now
	StateOnline             State = "online"               // the broker answered the last request
	StateOffline            State = "offline"              // it did not; what was fetched before is served
	StateParked             State = "parked"               // another device uses a copy of this session; nothing new is fetched
	StateRevoked            State = "revoked"              // the owner ended the session
	StateBlocked            State = "blocked"              // the slot is insecure, corrupt or inconsistent
)

// States lists the states of a daemon.
func States() []State {
	return []State{
		StateStarting, StateWaitingForKeychain, StateOnline, StateOffline,
		StateParked, StateRevoked, StateBlocked,
	}
}

// Serves reports whether a daemon in this state hands out credentials.
func (s State) Serves() bool {
	return s == StateOnline || s == StateOffline || s == StateParked
}

// What `agentkeys-daemon status` shows in place of a state where no daemon told one.
const (
	StateNotRunning State = "not_running" // only the slot could be looked at
	StateNoAnswer   State = "no_answer"   // something holds the slot or the socket and tells no status
	StateUnknown    State = "unknown"     // the daemon told a word that this version does not know
)
