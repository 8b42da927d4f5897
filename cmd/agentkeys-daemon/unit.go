package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/agentkeys/agentkeys/internal/agent/enroll"
	"github.com/agentkeys/agentkeys/internal/cli"
	"github.com/agentkeys/agentkeys/internal/pairing"
	"github.com/agentkeys/agentkeys/internal/paths"
	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/store"
	"github.com/agentkeys/agentkeys/internal/systemd"
	"github.com/agentkeys/agentkeys/internal/systemd/manager"
	"github.com/agentkeys/agentkeys/internal/wallet"
	"github.com/agentkeys/agentkeys/internal/words"
)

// startTime is how long a start may take. systemd's own limit is 90 s.
const startTime = 100 * time.Second

// unit is the package's unit of the wallet that is being paired.
type unit struct {
	p        *program
	machine  systemd.Machine
	user     *systemd.User // the user of --run-as; nil: the package's
	back     bool          // --run-as names the package's user: the drop-in is removed
	recovers bool          // without --run-as the unit is not changed
	start    bool
	changed  bool // the drop-in was changed
	slots    *store.Store
}

func unitName(w wallet.Wallet) string { return strings.TrimSuffix(systemd.Unit(w), ".service") }

// May refuses a recovery whose drop-in could not be written, and one that would take the agent from a
// running daemon.
func (u *unit) May(w wallet.Wallet) error {
	if u.user != nil {
		if _, err := u.machine.RunsAs(w); errors.Is(err, systemd.ErrForeign) {
			return err
		}
	}
	return u.mayMove(w)
}

// errStillRuns: that daemon would take up the new session, and might move it into the keychain of its
// user, where the next daemon could not read it.
var errStillRuns = errors.New("the agent's daemon still runs as its present user, and would keep the new session")

// mayMove refuses to give the slot of w to another user while a daemon holds it.
func (u *unit) mayMove(w wallet.Wallet) error {
	id := session.DaemonID(w)
	to, named := u.slotUser()
	if owner := paths.Owner(u.slots.Dir(id)); !named || owner < 0 || owner == to {
		return nil
	}
	release, err := u.slots.HoldRun(id)
	switch {
	case err == nil:
		release()
		return nil
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case errors.Is(err, store.ErrBusy):
		return u.p.busy(u.slots, w, errStillRuns)
	}
	return err
}

// slotUser is the future owner of the slot; false: --run-as was not given.
func (u *unit) slotUser() (uid int, named bool) {
	switch {
	case u.user != nil:
		return u.user.UID, true
	case u.back:
		uid, _, named = paths.SlotUser(u.slots.Home(), os.Geteuid())
	}
	return uid, named
}

// Prepare makes the unit of w run as the right user before there is a slot. It replaces what an
// interrupted pairing with another --run-as left. It also refuses if a daemon was started since May,
// so that the approval waits until the command is repeated.
func (u *unit) Prepare(w wallet.Wallet) (err error) {
	if err := u.mayMove(w); err != nil {
		return err
	}
	switch {
	case u.user != nil:
		u.changed, err = u.machine.WriteDropIn(w, *u.user)
	case u.back || !u.recovers:
		u.changed, err = u.machine.RemoveDropIn(w)
	}
	return err
}

// runsAs is the user of the unit of w.
func (u *unit) runsAs(w wallet.Wallet) string {
	if user, err := u.machine.RunsAs(w); err == nil {
		return user
	}
	return paths.PackageUser
}

// lingering is nil if the unit runs as the package's user, who has no login session.
func (u *unit) lingering(w wallet.Wallet) *bool {
	user := u.runsAs(w)
	switch {
	case user == paths.PackageUser:
		return nil
	case u.user != nil:
		user = u.user.Name // the drop-in may have the number instead
	}
	on := u.machine.Lingers(user)
	return &on
}

// pairPlaced pairs, and sets up the unit as the flags say.
func (p *program) pairPlaced(ctx context.Context, r enroll.Request, l *placement) error {
	p.offer(r, l)
	u, err := l.unit(p, r.Kind == pairing.KindRecover)
	if err != nil {
		return err
	}
	out, err := p.pair(ctx, r, patience, u)
	if err != nil || u == nil {
		return err
	}
	return p.afterwards(ctx, u, out.Wallet)
}

// afterwards starts the unit, or reloads systemd. The pairing is complete even if that fails.
func (p *program) afterwards(ctx context.Context, u *unit, w wallet.Wallet) error {
	if !u.start {
		if u.changed {
			p.reload(ctx, u.machine)
		}
		return nil
	}
	if !u.machine.Running() {
		p.notef("systemd does not run here, so nothing was started. Where it does: %s", p.typist().Hint("sudo systemctl enable --now "+unitName(w)))
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	m, err := manager.Dial(ctx)
	if err != nil {
		return p.notStarted(w, err)
	}
	defer m.Close()
	status, err := m.Start(ctx, systemd.Unit(w), u.changed)
	if err != nil {
		return p.notStarted(w, err)
	}
	return p.started(w, status)
}

// reload makes systemd read the drop-ins again. It does nothing if systemd does not run, since it reads
// all files when it starts.
func (p *program) reload(ctx context.Context, machine systemd.Machine) {
	if !machine.Running() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	m, err := manager.Dial(ctx)
	if err == nil {
		defer m.Close()
		err = m.Reload(ctx)
	}
	if err != nil {
		p.notef("%v; type: %s", err, p.typist().Hint("sudo systemctl daemon-reload"))
	}
}

type startedEvent struct {
	Event  string `json:"event"` // started
	Unit   string `json:"unit"`
	Status string `json:"status"` // the daemon's own status line
}

func (p *program) started(w wallet.Wallet, status string) error {
	if p.flags.JSON {
		return p.writeJSON(startedEvent{"started", systemd.Unit(w), status})
	}
	if status != "" { // the daemon's status line
		status = ": " + status
	}
	p.printf("Started %s%s\n", unitName(w), status)
	return nil
}

func (p *program) notStarted(w wallet.Wallet, err error) error {
	hint := "sudo systemctl enable --now " + unitName(w)
	if errors.Is(err, manager.ErrNotStarted) {
		hint = "sudo journalctl -u " + unitName(w) + " -n 20"
	}
	return &cli.Failure{Exit: words.ExitFault, Code: "not_started", Hint: hint, Err: fmt.Errorf("the agent is paired, but: %w", err)}
}

// notef prints something in addition to the result. Scripts read standard output only.
func (p *program) notef(format string, args ...any) {
	_, _ = fmt.Fprintf(p.stderr, name+": note: "+format+"\n", args...)
}
