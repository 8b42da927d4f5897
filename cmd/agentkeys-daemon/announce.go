package main

import (
	"fmt"
	"os"
	"time"

	"rsc.io/qr"

	"github.com/agentkeys/agentkeys/internal/agent/enroll"
	"github.com/agentkeys/agentkeys/internal/cli"
	"github.com/agentkeys/agentkeys/internal/pairing"
	"github.com/agentkeys/agentkeys/internal/paths"
	"github.com/agentkeys/agentkeys/internal/scope"
	"github.com/agentkeys/agentkeys/internal/systemd"
	"github.com/agentkeys/agentkeys/internal/wallet"
)

// announcer reports the steps of a pairing: JSON lines for scripts, else sentences.
type announcer struct{ p *program }

func (p *program) announcer() announcer { return announcer{p} }

type codeEvent struct {
	Event     string `json:"event"` // pair_code
	Code      string `json:"code"`
	ExpiresIn int64  `json:"expires_in"` // seconds
	// Warnings are what a person should know before the owner is asked for approval.
	Warnings []string `json:"warnings,omitempty"`
}

type pairedEvent struct {
	Event          string   `json:"event"` // paired
	Wallet         string   `json:"wallet"`
	SessionID      string   `json:"session_id"`
	Owner          string   `json:"owner"`
	Scope          []string `json:"scope"` // null: all
	StorageBackend string   `json:"storage_backend"`
	RunAs          string   `json:"run_as,omitempty"`    // the package's unit will run as this user
	Lingering      *bool    `json:"lingering,omitempty"` // of RunAs, if that is a desktop user
}

type failedEvent struct {
	Event   string `json:"event"` // failed
	Code    string `json:"code"`
	Message string `json:"message"`
}

// warn reports what a person should know before the owner is asked for approval. In JSON it is part
// of the first event of a pairing, which has the code.
func (a announcer) warn(text string) {
	if a.p.flags.JSON {
		a.p.warnings = append(a.p.warnings, text)
		return
	}
	_, _ = fmt.Fprintf(a.p.stderr, "%s: warning: %s\n", name, text)
}

// code shows what the owner types. An error: it was not shown, so waiting is useless.
func (a announcer) code(c pairing.Code, life time.Duration) error {
	if a.p.flags.JSON {
		_ = a.p.writeJSON(codeEvent{"pair_code", c.Show(), int64(life / time.Second), a.p.warnings}) // its fields can always be encoded
		return a.p.stdout.Err()
	}
	a.p.printf("The owner approves this machine with\n\n    agentkeys approve %s\n\n", c.Show())
	shown := a.p.stdout.Err() // the code was shown; a later output error does not matter
	if cli.IsTerminal(a.p.stdout.Raw()) {
		a.p.printf("%s\n", qrBlocks(c.Show()))
	}
	a.p.printf("The code is good for %d minutes. Waiting ...\n", int(life.Round(time.Minute)/time.Minute))
	return shown
}

// paired reports the result and what to type next. u may be nil: no unit is known.
func (a announcer) paired(out enroll.Paired, u *unit) {
	defer func() {
		if a.p.stdout.Err() != nil {
			a.p.notef("paired as %s all the same: only standard output could not be written", out.Wallet)
		}
	}()
	if a.p.flags.JSON {
		e := pairedEvent{
			Event: "paired", Wallet: out.Wallet.String(), SessionID: sessionName(out), Owner: out.Owner.String(),
			Scope: scopeList(out.Scope), StorageBackend: string(out.Backend),
		}
		if u != nil {
			e.RunAs, e.Lingering = u.runsAs(out.Wallet), u.lingering(out.Wallet)
		}
		_ = a.p.writeJSON(e) // its fields can always be encoded
		return
	}
	a.p.printf("Paired as %s\n  owner    %s\n  scope    %s\n  session  %s, in the %s\n",
		out.Wallet.String(), out.Owner.String(), out.Scope, sessionName(out), out.Backend)
	if u != nil {
		a.unit(out.Wallet, u)
	}
	a.p.printf("\n")
	switch {
	case u != nil && u.start:
	case a.runs(out) && u != nil && u.changed:
		a.p.printf("Next:  %s\n", a.p.typist().Hint("sudo systemctl restart "+unitName(out.Wallet)))
	case a.runs(out):
		a.p.printf("The daemon that runs takes it up by itself.\n")
	case u != nil:
		a.p.printf("Next:  %s\n", a.p.typist().Hint("sudo systemctl enable --now "+unitName(out.Wallet)))
	case a.userUnit():
		a.p.printf("Next:  systemctl --user enable --now %s\n", unitName(out.Wallet))
	default:
		a.p.printf("Next:  %s run --wallet %s\n", name, out.Wallet)
	}
}

// unit reports as which user the unit runs, and what that means for the wallet.
func (a announcer) unit(w wallet.Wallet, u *unit) {
	user := u.runsAs(w)
	a.p.printf("  runs as  %s\n", user)
	if lingers := u.lingering(w); lingers != nil {
		a.p.printf("           every program of %s can read this wallet\n", user)
		a.p.printf("           its first start moves the session into the keyring of %s, if that can be opened\n", user)
		if *lingers {
			a.p.printf("           lingering is on: the login session of %s begins at boot\n", user)
		} else {
			a.p.printf("           lingering is off: the login session of %s ends at logout; to keep it:\n", user)
			a.p.printf("               %s\n", a.p.typist().Hint("sudo loginctl enable-linger "+user))
		}
	}
}

// userUnit reports whether the package's user unit would find the slot.
func (a announcer) userUnit() bool {
	machine := systemd.Machine{}
	return os.Geteuid() != 0 && a.p.getenv("AGENTKEYS_HOME") == "" && machine.Running() && machine.UserInstalled()
}

// runs reports whether a daemon of this wallet answers. Such a daemon takes up a recovery by itself.
func (a announcer) runs(out enroll.Paired) bool {
	home, err := a.p.home()
	if err != nil {
		return false
	}
	_, ok := paths.FindSocket(a.p.getenv, home, out.Wallet)
	return ok
}

// scopeList keeps null for all, as the session file does; none is the empty list.
func scopeList(s scope.Scope) []string {
	if s.IsAll() {
		return nil
	}
	return append([]string{}, s.Services()...)
}

func (a announcer) failed(f *cli.Failure) {
	if a.p.flags.JSON {
		_ = a.p.writeJSON(failedEvent{"failed", f.Code, f.Error()}) // its fields can always be encoded
	}
}

// qrBlocks draws a QR code with half blocks: two rows of modules on each line. Dark modules are blank,
// so that it can be scanned from a dark terminal.
func qrBlocks(text string) string {
	code, err := qr.Encode(text, qr.M)
	if err != nil {
		return ""
	}
	const quiet = 2
	light := func(x, y int) bool { return !code.Black(x, y) } // light also outside of the code
	out := ""
	for y := -quiet; y < code.Size+quiet; y += 2 {
		for x := -quiet; x < code.Size+quiet; x++ {
			switch top, bottom := light(x, y), light(x, y+1); {
			case top && bottom:
				out += "█"
			case top:
				out += "▀"
			case bottom:
				out += "▄"
			default:
				out += " "
			}
		}
		out += "\n"
	}
	return out
}
