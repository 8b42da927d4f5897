package main

import (
	"github.com/agentkeys/agentkeys/internal/cli"
	"github.com/agentkeys/agentkeys/internal/doctor"
	"github.com/agentkeys/agentkeys/internal/doctor/checkup"
	"github.com/agentkeys/agentkeys/internal/owner"
	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/wallet"
	"github.com/agentkeys/agentkeys/internal/words"
)

type doctorCmd struct{ cli.Colour }

// Run examines every slot of this machine, or the one that is named.
func (c doctorCmd) Run(a *app) error {
	defer a.interruptible()()
	id, err := a.namedSlot()
	if err != nil {
		return err
	}
	cfg := checkup.Config{Getenv: a.getenv, Owner: true, Flags: map[string]string{}, NoSudo: a.typist().NoSudo}
	cfg.Journal = &checkup.Journal{
		Name: words.FileManifests, Warn: owner.KnownWarn, Limit: owner.KnownLimit, FileLimit: owner.KnownFileLimit,
		Check: owner.CheckKnown,
	}
	if a.global.Broker != a.getenv("AGENTKEYS_BROKER") { // otherwise the variable is named as the source
		cfg.Flags["broker"] = a.global.Broker
	}
	reports, err := checkup.Reports(a.ctx, cfg, id)
	if err != nil {
		return err
	}
	worst := words.ExitOK
	for _, r := range reports {
		if r.Worst == doctor.Fail {
			worst = words.ExitFault
		}
		if a.global.JSON {
			if err := a.printJSON(r); err != nil {
				return err
			}
		}
	}
	if !a.global.JSON {
		v := doctor.View{
			Verbose: a.global.Verbose, Width: cli.WidthOf(a.stdout.Raw()), More: name + " doctor --verbose",
			Paint: c.PaintFor(a.stdout.Raw(), a.getenv),
		}
		if err := v.Print(a.stdout, reports); err != nil {
			return err
		}
	}
	if worst != words.ExitOK {
		return cli.Exit(worst)
	}
	return nil
}

// namedSlot is the slot that was named; zero: all slots.
func (a *app) namedSlot() (session.ID, error) {
	switch {
	case a.global.Wallet != "":
		w, err := wallet.Parse(a.global.Wallet)
		return session.DaemonID(w), err
	case a.global.SessionID != nil:
		return a.sessionID()
	}
	return session.ID{}, nil
}
