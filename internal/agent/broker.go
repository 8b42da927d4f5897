package agent

import (
	"errors"
	"fmt"
	"strings"

	"github.com/agentkeys/agentkeys/internal/condition"
	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/words"
)

// keptAt is the session as it stands at its broker, and which one that is: the broker of
// the settings, else the one that the session remembers.
func (d *Daemon) keptAt(s session.Session) (session.Session, protocol.StatusBroker) {
	at := protocol.StatusBroker{}
	named := ""
	if d.c.Named != nil {
		named, at.From = d.c.Named()
	}
	if s, at.URL = s.At(named); named == "" || at.URL != named {
		at.From = protocol.BrokerOfSession
	}
	return s, at
}

// connect dials the session's broker and makes change with it, in one step: no token is
// ever shown to the broker of another session. At another broker than before the lease
// continues, but that broker has not answered yet, and what is known of the manifest is not
// its word.
func (d *Daemon) connect(at protocol.StatusBroker, change func(*view)) bool {
	broker, err := d.c.Dial(at.URL)
	d.setView(func(v *view) {
		d.broker = broker
		if v.broker.URL != at.URL {
			v.online, v.tried, v.parked, v.etag = false, false, false, ""
		}
		if v.broker = at; err != nil {
			v.loaded, v.phase, v.reason = false, words.StateBlocked, err.Error()
			return
		}
		change(v)
	})
	return err == nil
}

// followSettings is for a slot that cannot be read now: the session in memory goes to the
// broker that the settings name by now.
func (d *Daemon) followSettings() {
	if !d.loaded() {
		return
	}
	s, _, _ := d.snapshot()
	s, at := d.keptAt(s)
	if at == d.keeper() {
		return
	}
	if d.connect(at, func(v *view) { v.session = s }) {
		d.noteSession(s)
	}
}

// keeper is whom the session in memory is kept at.
func (d *Daemon) keeper() protocol.StatusBroker {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.v.broker
}

// told is why the broker does not serve the session, for people. A broker that a setting
// names is named with it: that may be the wrong one.
func (d *Daemon) told(err error) string {
	at := d.keeper()
	if at.From == protocol.BrokerOfSession {
		return protocol.Reason(err)
	}
	base, _, _ := strings.Cut(at.URL, "#") // the pins are long and say nothing to a person
	return fmt.Sprintf("%s, named by %s: %s", base, at.From, protocol.Reason(err))
}

// wrongBroker is the hint where err is what a broker answers that is not the session's, and
// a setting names it; empty: the condition's own hint fits.
func (d *Daemon) wrongBroker(err error) string {
	stranger := errors.Is(err, protocol.ErrCertificate) || errors.Is(err, protocol.ErrForeign) || hasCode(err, protocol.CodeTokenUnknown)
	if !stranger || d.keeper().From == protocol.BrokerOfSession {
		return ""
	}
	return condition.HintSettings
}
