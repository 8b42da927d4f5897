package agent

import (
	"strconv"

	"github.com/agentkeys/agentkeys/internal/words"
)

// statusLine is one line for `systemctl status`.
func (f facts) statusLine() string {
	switch f.state() {
	case words.StateWaitingForKeychain:
		return f.reason
	case words.StateBlocked:
		return "blocked: " + f.reason
	case words.StateRevoked:
		return "revoked by the owner: nothing is served"
	case words.StateParked:
		return "parked, another device uses a copy of this session: serving " + served(f) + ", and nothing new"
	case words.StateOnline:
		return "online: serving " + served(f)
	case words.StateOffline:
		if f.over {
			return "offline for longer than the owner allows: nothing is served"
		}
		return "offline: serving " + served(f)
	}
	switch {
	case !f.loaded:
		return "starting: " + f.reason
	case f.over:
		return "starting: nothing is served until the broker answers"
	}
	return "starting: the broker has not answered yet, serving " + served(f)
}

// served says how many, and not which: anyone on the host may read this.
func served(f facts) string {
	switch {
	case !f.session.canServe:
		return "nothing"
	case f.manifest == nil:
		return "nothing yet"
	}
	if n := len(f.records); n != 1 {
		return strconv.Itoa(n) + " credentials"
	}
	return "1 credential"
}
