package doctor_test

import (
	"testing"

	"github.com/agentkeys/agentkeys/internal/doctor"
	"github.com/agentkeys/agentkeys/internal/doctor/holder"
	"github.com/agentkeys/agentkeys/internal/health/condition"
	"github.com/agentkeys/agentkeys/internal/protocol"
)

// from makes change of a broker that is named there.
func from(where string, change func(*doctor.Facts)) func(*doctor.Facts) {
	return func(f *doctor.Facts) {
		f.Broker.From = where
		change(f)
	}
}

func refuses(status int, code string) func(*doctor.Facts) {
	return func(f *doctor.Facts) { f.Broker.Refusal = &protocol.Problem{Status: status, Code: code} }
}

func brokerVerdicts() map[string]verdict {
	const config = "agentkeys-daemon run --print-config --wallet " + name
	foreign := func(f *doctor.Facts) { f.Broker.Away, f.Broker.Foreign = "HTTP 200", true }
	pin := func(f *doctor.Facts) { f.Broker.Away, f.Broker.Certificate = "pin", true }
	of := func(change func(*doctor.Facts)) func(*doctor.Facts) { return all(owner, change) }
	return map[string]verdict{
		"pinned broker away":           {func(f *doctor.Facts) { f.Broker.Away, f.Broker.Pinned = "refused", true }, "broker", doctor.Warn, "refused", "curl -k https://mini.local:8420/v1/info"},
		"broker away":                  {func(f *doctor.Facts) { f.Broker.Away = "refused" }, "broker", doctor.Warn, "refused", "curl https://mini.local:8420/v1/info"},
		"broker with a full disk":      {func(f *doctor.Facts) { f.Broker.ReadOnly = "no space is left" }, "broker", doctor.Warn, "read_only: no space is left", doctor.HintBrokerDisk},
		"another certificate":          {func(f *doctor.Facts) { f.Broker.Away, f.Broker.Certificate = "pin", true }, "broker", doctor.Fail, "certificate", renew},
		"a setting names the broker":   {func(f *doctor.Facts) { f.Broker.From = "AGENTKEYS_BROKER" }, "broker", doctor.OK, "(from AGENTKEYS_BROKER) answers", ""},
		"a setting names a stranger":   {from("/etc/x.toml", func(f *doctor.Facts) { f.Broker.Away, f.Broker.Certificate = "pin", true }), "broker", doctor.Fail, "(from /etc/x.toml): its certificate", config},
		"the session names it":         {func(f *doctor.Facts) { f.Broker.Away, f.Broker.Certificate, f.Broker.From = "pin", true, "session" }, "broker", doctor.Fail, "(from session)", renew},
		"no URL":                       {func(f *doctor.Facts) { f.Broker.Bad = "not a broker's URL" }, "broker", doctor.Fail, "not a broker's URL", renew},
		"broker not known":             {func(f *doctor.Facts) { f.Broker.URL = "" }, "broker", doctor.Warn, "not known", ""},
		"an owner's broker is another": {func(f *doctor.Facts) { owner(f); f.Broker.Certificate, f.Broker.Away = true, "pin" }, "broker", doctor.Fail, "pin", "agentkeys init --recovery-key -"},

		"a unix socket that is away":    {func(f *doctor.Facts) { f.Broker.URL, f.Broker.Away = "unix:///run/b.sock", "refused" }, "broker", doctor.Warn, "refused", "curl --unix-socket /run/b.sock http://localhost/v1/info"},
		"a URL that a shell would run":  {func(f *doctor.Facts) { f.Broker.URL, f.Broker.Away = "https://a;id", "refused" }, "broker", doctor.Warn, "refused", "curl 'https://a;id/v1/info'"},
		"a setting names a web server":  {from("/etc/x.toml", foreign), "broker", doctor.Warn, "HTTP 200", config},
		"a web server in its place":     {from("session", foreign), "broker", doctor.Warn, "HTTP 200", "curl https://mini.local:8420/v1/info"},
		"a variable names a web server": {from("AGENTKEYS_BROKER", foreign), "broker", doctor.Warn, "HTTP 200", config},
		"a flag names a web server":     {from("--broker", foreign), "broker", doctor.Warn, "HTTP 200", "agentkeys-daemon doctor --wallet " + name + "   (without --broker)"},
		"a setting names a stranger's":  {from("/etc/x.toml", refuses(401, "token_unknown")), "broker", doctor.Warn, "does not know this session", config},
		"its own does not know it":      {from("session", refuses(401, "token_unknown")), "broker", doctor.Warn, "does not know this session", doctor.HintBrokerRestore},
		"its own ended it":              {from("session", refuses(401, "session_revoked")), "broker", doctor.Fail, "session_revoked", renew},
		"another one calls it ended":    {from("/etc/x.toml", refuses(401, "session_revoked")), "broker", doctor.Fail, "session_revoked", config},
		"it waits for its owner":        {from("session", refuses(503, "restored")), "broker", doctor.Warn, "restored", "agentkeys agents   (on the owner's machine)"},
		"an owner's variable, a pin":    {of(from("AGENTKEYS_BROKER", pin)), "broker", doctor.Fail, "pin", "unset AGENTKEYS_BROKER   (then the broker counts that the session remembers)"},
		"an owner's flag, a pin":        {of(from("--broker", pin)), "broker", doctor.Fail, "pin", "agentkeys doctor   (without --broker)"},
		"an owner's flag, a stranger's": {of(from("--broker", refuses(401, "token_unknown"))), "broker", doctor.Warn, "does not know", "agentkeys doctor   (without --broker)"},
		"a setting that was not read": {func(f *doctor.Facts) {
			f.Settings.Broker, f.Settings.BrokerFrom, f.Holder = "https://new", "/etc/x.toml", holder.Holder{PID: 612, Unit: unit}
		}, "settings", doctor.Warn, "/etc/x.toml names the broker https://new", "sudo systemctl reload " + unit},
	}
}

// A broker that answers and that the daemon cannot use is one line, with a command.
func TestTheDaemonsReasonIsTheBrokersLine(t *testing.T) {
	t.Parallel()
	for title, change := range map[string]func(*doctor.Facts){
		"a stranger's":                        from("/etc/x.toml", refuses(401, "token_unknown")),
		"which was not shown the token":       from("/etc/x.toml", func(*doctor.Facts) {}),
		"its own, which answers doctor again": from("session", func(*doctor.Facts) {}),
		"a web server":                        from("/etc/x.toml", func(f *doctor.Facts) { f.Broker.Away, f.Broker.Foreign = "HTTP 200", true }),
	} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			f := healthy()
			all(says("offline", "https://mini.local:8420, named by /etc/x.toml: token_unknown (HTTP 401)", condition.BrokerAway, condition.OfflineTooLong), change)(&f)
			var wrong []doctor.Check
			for _, c := range doctor.Examine(f).Checks {
				if c.Status != doctor.OK {
					wrong = append(wrong, c)
				}
			}
			if len(wrong) != 1 || wrong[0].Name != "broker" || wrong[0].Hint == "" {
				t.Errorf("%+v", wrong)
			}
		})
	}
}

// A hint has the broker's URL where that is known and may be the right one, and no sudo for
// root where there is none.
func TestAHintCanBeTypedAsItStands(t *testing.T) {
	t.Parallel()
	const pinned = "https://mini.local:8420#spki-sha256-x"
	ended := func(f *doctor.Facts) { f.Session.Ended = "session_revoked" }
	known := func(f *doctor.Facts) { f.Broker.Full = pinned }
	for title, tt := range map[string]struct {
		change func(*doctor.Facts)
		hint   string
	}{
		"the URL is known":      {all(ended, known), "sudo agentkeys-daemon recover " + name + " --broker " + pinned},
		"it is not":             {ended, renew},
		"root without sudo":     {all(ended, known, func(f *doctor.Facts) { f.EUID, f.NoSudo = 0, true }), "agentkeys-daemon recover " + name + " --broker " + pinned},
		"root of another's URL": {all(ended, func(f *doctor.Facts) { f.Broker.Full = "https://a;id" }), "sudo agentkeys-daemon recover " + name + " --broker 'https://a;id'"},
	} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			f := healthy()
			tt.change(&f)
			for _, c := range doctor.Examine(f).Checks {
				if c.Name == "session" && c.Hint != tt.hint {
					t.Errorf("%q, want %q", c.Hint, tt.hint)
				}
			}
		})
	}
}
