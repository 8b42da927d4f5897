package main

import (
	"context"

	"github.com/agentkeys/agentkeys/internal/cli"
	"github.com/agentkeys/agentkeys/internal/doctor"
	"github.com/agentkeys/agentkeys/internal/doctor/checkup"
	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/words"
)

type doctorCommand struct {
	walletsFlag
	cli.Colour

	Verbose bool `help:"Show every check, not only what is wrong."`
}

// Run reports what is wrong and the commands that correct it. It exits with 1 if a check fails.
func (c *doctorCommand) Run(ctx context.Context, p *program) error {
	var id session.ID
	if c.Wallet != "" {
		w, err := p.parseWallet(c.Wallet)
		if err != nil {
			return err
		}
		id = session.DaemonID(w)
	}
	reports, err := checkup.Reports(ctx, checkup.Config{Getenv: p.getenv, Flags: p.flags.given(), NoSudo: p.typist().NoSudo}, id)
	if err != nil {
		return err
	}
	exit := words.ExitOK
	for _, r := range reports {
		if r.Worst == doctor.Fail {
			exit = words.ExitFault
		}
		if p.flags.JSON {
			if err := p.writeJSON(r); err != nil {
				return err
			}
		}
	}
	if !p.flags.JSON {
		v := doctor.View{
			Verbose: c.Verbose, Width: cli.WidthOf(p.stdout.Raw()), More: name + " doctor --verbose",
			Paint: c.PaintFor(p.stdout.Raw(), p.getenv),
		}
		if err := v.Print(p.stdout, reports); err != nil {
			return err
		}
	}
	return cli.Exit(exit)
}
