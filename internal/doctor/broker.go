package doctor

import (
	"cmp"
	"strings"
	"time"

	"github.com/agentkeys/agentkeys/internal/display"
	"github.com/agentkeys/agentkeys/internal/health/condition"
	"github.com/agentkeys/agentkeys/internal/protocol"
)

const (
	// clockSlack is how far the clock may differ from the broker's, as in the daemon.
	clockSlack = 5 * time.Minute

	// HintBrokerClock is for a broker whose clock jumped.
	HintBrokerClock = "on the broker's machine, once its clock is right: agentkeys-broker clock --accept --data DIR"
	// HintBrokerDisk is for a broker that is read_only.
	HintBrokerDisk = "on the broker's machine: df -h; sudo journalctl -u agentkeys-broker"
	// HintBrokerRestore is for the session's own broker if that does not know the session.
	HintBrokerRestore = "agentkeys-broker restore FILE --data DIR   (on that broker's machine, with a backup of the broker that knows it)"
)

func (f Facts) broker() []finding {
	b := f.Broker
	switch {
	case b == nil:
		return nil
	case b.URL == "":
		return one(warn("broker", "", "not known: no settings name it and the session cannot be read").
			follows("settings", "keychain", "permissions", "slot", "session"))
	case b.Bad != "":
		return one(fail("broker", f.rename(f.renew()), "%s", b.Bad))
	case b.Certificate:
		return one(fail("broker", f.rename(f.renew()), "%s: its certificate is refused: %s", b.name(), b.Away).says(condition.BrokerCertificateChanged))
	case b.Foreign:
		return one(warn("broker", f.rename(b.ask()), "%s: %s", b.name(), b.Away).says(condition.BrokerAway))
	case b.Away != "":
		return one(warn("broker", b.ask(), "%s: %s", b.name(), b.Away).says(condition.BrokerAway))
	}
	return append(one(f.answers()), f.brokerClock())
}

// answers is the line for a broker that answered: whether it serves this session.
func (f Facts) answers() finding {
	b := f.Broker
	switch {
	case b.ReadOnly != "":
		return warn("broker", HintBrokerDisk, "%s answers, version %s, and is read_only: %s; it refuses what it would have to write", b.name(), b.Version, b.ReadOnly).
			says(condition.BrokerAway)
	case b.Refusal != nil:
		return f.refused(*b.Refusal)
	}
	if away := f.awayFor(); away != "" {
		hint := f.rename(cmp.Or(f.restart(), hintStatus+f.Wallet))
		return warn("broker", hint, "%s answers, version %s, and the daemon cannot use it: %s", b.name(), b.Version, away).
			says(condition.BrokerAway).follows(condition.Because(string(condition.BrokerAway))...)
	}
	return ok("broker", "%s answers, version %s", b.name(), b.Version)
}

// refused is a broker that does not accept the session's token. What the daemon reports about this
// has a line of its own, with its command.
func (f Facts) refused(p protocol.Problem) finding {
	b := f.Broker
	says := func(hint string, severe bool) finding {
		found := warn("broker", hint, "%s answers, version %s, and does not take this session: %s", b.name(), b.Version, p.Error())
		if severe {
			found.Status = Fail
		}
		return found
	}
	switch p.Code {
	case protocol.CodeTokenUnknown:
		return warn("broker", f.rename(HintBrokerRestore), "%s answers, version %s, and does not know this session", b.name(), b.Version).says(condition.BrokerAway)
	case protocol.CodeSessionRevoked:
		return says(f.rename(f.renew()), true).follows("session", string(condition.SessionRevoked))
	case protocol.CodeCloneSuspected:
		return says(f.rename(f.renew()), true).follows(string(condition.CloneSuspected))
	case protocol.CodeSessionExpired, protocol.CodeTokenRetired:
		return says(f.rename(f.renew()), true).follows(string(condition.SessionExpired), string(condition.CloneSuspected))
	case protocol.CodeRestored:
		return says("agentkeys agents   (on the owner's machine)", false).says(condition.BrokerAway)
	}
	return says(b.ask(), false).says(condition.BrokerAway)
}

// awayFor is why the daemon reports that it cannot use a broker that answers here; empty: it does
// not report that.
func (f Facts) awayFor() string {
	if f.Socket == nil || f.Socket.Daemon == nil {
		return ""
	}
	for _, c := range f.Socket.Daemon.Conditions {
		if c.Code != string(condition.BrokerAway) {
			continue
		}
		d, _ := condition.Of(c.Code, "", f.Wallet)
		why := strings.TrimPrefix(c.Message, d.Message)
		why = strings.TrimPrefix(strings.TrimPrefix(why, ": "), f.Broker.URL+", named by "+f.Broker.From+": ")
		if why == "" {
			why = d.Message
		}
		return why
	}
	return ""
}

func (f Facts) brokerClock() finding {
	b := f.Broker
	switch {
	case b.ClockHeld:
		return warn("broker_clock", HintBrokerClock, "the broker's clock jumped: no session lapses there and no unused approval ends until a person accepts it; it differs by %s", b.Offset.Round(time.Second))
	case b.Offset.Abs() > clockSlack:
		return warn("broker_clock", hintClock, "the broker's clock differs by %s", b.Offset.Round(time.Second)).
			says(condition.ClockWrong).follows(string(condition.ClockNotSet))
	}
	return ok("broker_clock", "within %s of the broker's", clockSlack)
}

// name is the address, and what names it.
func (b *Broker) name() string {
	if b.From == "" {
		return b.URL
	}
	return b.URL + " (from " + b.From + ")"
}

// rename is the command for a broker that is not the session's: the setting that names it has to be
// checked. remembered is the command if the session itself names it.
func (f Facts) rename(remembered string) string {
	from, again := f.Broker.From, strings.TrimSuffix(hintDoctor+f.Wallet, " --wallet ")
	if f.owner() {
		again = "agentkeys doctor"
	}
	switch {
	case from == "" || from == protocol.BrokerOfSession:
		return remembered
	case strings.HasPrefix(from, "--"):
		return again + "   (without " + from + ")"
	case f.owner():
		return "unset " + from + "   (then the broker counts that the session remembers)"
	}
	return strings.TrimSuffix("agentkeys-daemon run --print-config --wallet "+f.Wallet, " --wallet ")
}

// ask is the command that asks the broker as any program does.
func (b *Broker) ask() string {
	if socket, ok := strings.CutPrefix(b.URL, "unix://"); ok {
		return "curl --unix-socket " + display.Word(socket) + " http://localhost/v1/info"
	}
	if b.Pinned {
		return "curl -k " + display.Word(b.URL+"/v1/info") // no authority that curl knows has signed its certificate
	}
	return "curl " + display.Word(b.URL+"/v1/info")
}
