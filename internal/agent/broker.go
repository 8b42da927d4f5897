package agent

import (
	"errors"
	"fmt"
	"strings"

	"github.com/agentkeys/agentkeys/internal/health/condition"
	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/words"
)

// keptAt is the session as it stands at its broker, and which one that is: the broker of
// the settings, else the one that the session remembers.
func (s *slot) keptAt(kept session.Session) (session.Session, protocol.StatusBroker) {
	at := protocol.StatusBroker{}
	named := ""
	if s.named != nil {
		named, at.From = s.named()
	}
	if kept, at.URL = kept.At(named); named == "" || at.URL != named {
		at.From = protocol.BrokerOfSession
	}
	return kept, at
}

// connect dials the session's broker and remembers the session with it, in one step: no
// token is ever shown to the broker of another session. tell changes what callers see. At
// another broker than before the lease continues, but that broker has not answered yet, and
// what is known of the manifest is not its word.
func (s *slot) connect(at protocol.StatusBroker, remember func(), tell func(*facts)) (dialed bool) {
	broker, err := s.dial(at.URL)
	s.mu.Lock()
	if s.broker, s.at = broker, at; err == nil {
		remember()
	} else {
		s.broker = nil
	}
	s.mu.Unlock()
	s.view.change(func(f *facts) {
		if f.broker.URL != at.URL {
			f.online, f.tried, f.parked, f.etag = false, false, false, ""
		}
		if f.broker = at; err != nil {
			f.loaded, f.phase, f.reason = false, words.StateBlocked, err.Error()
			return
		}
		tell(f)
	})
	return err == nil
}

// followSettings is for a slot that cannot be read now: the session in memory goes to the
// broker that the settings name by now.
func (s *slot) followSettings() {
	if !s.loaded() {
		return
	}
	mine, info := s.snapshot()
	mine, at := s.keptAt(mine)
	if at == s.keeper() {
		return
	}
	dialed := s.connect(at,
		func() { s.session = mine },
		func(f *facts) { f.session = factsOf(mine, info) })
	if dialed {
		s.noteSession(mine)
	}
}

// keeper is the broker that the session in memory is kept at.
func (s *slot) keeper() protocol.StatusBroker {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.at
}

// told is why the broker does not serve the session, for people. A broker that a setting
// names is named with it: that may be the wrong one.
func told(at protocol.StatusBroker, err error) string {
	if at.From == protocol.BrokerOfSession {
		return protocol.Reason(err)
	}
	base, _, _ := strings.Cut(at.URL, "#") // the pins are long and say nothing to a person
	return fmt.Sprintf("%s, named by %s: %s", base, at.From, protocol.Reason(err))
}

// hintFor is the hint where err is what a broker answers that is not the session's, and
// a setting names it; empty: the condition's own hint fits.
func hintFor(at protocol.StatusBroker, err error) string {
	stranger := errors.Is(err, protocol.ErrCertificate) || errors.Is(err, protocol.ErrForeign) || protocol.HasCode(err, protocol.CodeTokenUnknown)
	if !stranger || at.From == protocol.BrokerOfSession {
		return ""
	}
	return condition.HintSettings
}
