package main

import (
	"fmt"

	"github.com/agentkeys/agentkeys/internal/owner"
	"github.com/agentkeys/agentkeys/internal/wallet"
)

// reopened reports on standard error, in addition to the command's own output, what was done for an
// account whose broker was restored from a copy.
func (a *app) reopened(r owner.Reopened) {
	a.note("the broker was put back from a copy; what this machine knows better was told to it, and the account is open again")
	a.noteEach(r.Revoked, "revoked again; where a new device had taken over: agentkeys-daemon recover, on that board")
	a.noteEach(r.Gone, "torn down again")
	a.noteEach(r.Missing, "not known to the broker any more: agentkeys-daemon pair, on that board")
	a.noteEach(r.Unnamed, "its names are another agent's in the copy: agentkeys link")
	for i, c := range r.Lost {
		a.note("%s of %s: what was stored last is not there any more: agentkeys store %s --agent %s",
			c.Service, r.LostOf[i].String(), c.Service, r.LostOf[i])
	}
}

func (a *app) noteEach(wallets []wallet.Wallet, what string) {
	for _, w := range wallets {
		a.note("%s: %s", w.String(), what)
	}
}

func (a *app) warn(text string) {
	_, _ = fmt.Fprintln(a.stderr, "agentkeys: warning:", text) // if it fails, there is no other output
}

func (a *app) note(format string, args ...any) {
	_, _ = fmt.Fprintf(a.stderr, "agentkeys: note: "+format+"\n", args...) // if it fails, there is no other output
}
