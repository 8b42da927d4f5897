package main

import (
	"cmp"
	"fmt"
	"os"

	"github.com/agentkeys/agentkeys/internal/cli"
	"github.com/agentkeys/agentkeys/internal/doctor/checkup"
	"github.com/agentkeys/agentkeys/internal/doctor/holder"
	"github.com/agentkeys/agentkeys/internal/paths"
	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/store"
	"github.com/agentkeys/agentkeys/internal/wallet"
	"github.com/agentkeys/agentkeys/internal/words"
)

// holder finds the running daemon of w.
func (p *program) holder(s *store.Store, w wallet.Wallet) holder.Holder {
	path, _ := paths.FindSocket(p.getenv, s.Home(), w)
	return checkup.Holder(path, s.RunLock(session.DaemonID(w)), w)
}

// busy is the failure of a command because a daemon of w holds the slot. The command in its hint that
// ends the daemon depends on how it was started.
func (p *program) busy(s *store.Store, w wallet.Wallet, err error) error {
	h := p.holder(s, w)
	if h.Seen() {
		err = fmt.Errorf("%w (%s)", err, h)
	}
	return &cli.Failure{Exit: words.ExitFault, Code: "busy", Hint: cmp.Or(h.Stop(os.Geteuid()), hintDoctor(w)), Err: err}
}

func hintDoctor(w wallet.Wallet) string { return name + " doctor --wallet " + w.String() }
