package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/agentkeys/agentkeys/internal/cli"
	"github.com/agentkeys/agentkeys/internal/paths"
	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/store"
	"github.com/agentkeys/agentkeys/internal/systemd"
	"github.com/agentkeys/agentkeys/internal/wallet"
	"github.com/agentkeys/agentkeys/internal/words"
)

type forgetCommand struct {
	walletFlag

	Yes bool `help:"Do not ask."`
}

var errNotConfirmed = errors.New("not confirmed: nothing was removed")

// Run removes a slot. Only a person may do that.
func (c *forgetCommand) Run(ctx context.Context, p *program) error {
	w, err := p.parseWallet(c.Wallet)
	if err != nil {
		return err
	}
	if err := p.mayMake(); err != nil {
		return err
	}
	set, _, err := p.loadSettings(w.String())
	if err != nil {
		return err
	}
	log := p.quietLogger(set)
	s, err := p.openStore(set, log, nil)
	if err != nil {
		return err
	}
	id := session.DaemonID(w)
	release, err := s.HoldRun(id)
	switch {
	case errors.Is(err, store.ErrBusy):
		return p.busy(s.Store, w, fmt.Errorf("the daemon of %s is running", w))
	case errors.Is(err, fs.ErrNotExist):
		p.forgetUnit(ctx, w) // an interrupted pairing may have left a drop-in
		return notPaired(s.Store, w)
	case err != nil:
		return err
	}
	defer release()
	before := removedBefore(s.Store, id)
	const question = "Remove the session of %s from this machine? It reads no credential here then, until its owner approves a recovery."
	if !c.Yes && !before && !p.confirmed(fmt.Sprintf(question, w)) {
		return &cli.Failure{Exit: words.ExitFault, Code: cli.CodeNotConfirmed, Hint: name + " forget --wallet " + w.String() + " --yes", Err: errNotConfirmed}
	}
	if err := p.forgetSlot(ctx, s, id, w); err != nil {
		return err
	}
	p.forgetUnit(ctx, w)
	if p.flags.JSON {
		return p.writeJSON(map[string]string{"forgotten": w.String()})
	}
	if before {
		p.printf("The session of %s was removed from this machine before.\n", w)
		return nil
	}
	p.printf("The session of %s is gone from this machine. At the broker it lives on until its owner ends it, on the owner's machine, with\n\n    agentkeys revoke %s\n", w, w)
	return nil
}

// notPaired is the error of a wallet that has no session here.
func notPaired(s *store.Store, w wallet.Wallet) error {
	return &cli.Failure{
		Exit: words.ExitNoSession, Code: string(words.ResultNoSession), Hint: name + " status   (the agents of this machine)",
		Err: fmt.Errorf("wallet %s is not paired on this machine (%s), so there is nothing to forget", w, s.Home()),
	}
}

// removedBefore reports whether the session of id was removed. It is removed again, since a
// keychain may not have confirmed that.
func removedBefore(s *store.Store, id session.ID) bool {
	slots, err := s.List()
	return err == nil && slices.ContainsFunc(slots, func(slot store.Slot) bool { return slot.ID == id && slot.Tombstone })
}

// forgetSlot removes session and ciphertext. Root cannot reach another user's keyring: an entry there
// is useless to this machine, and the output says how that user removes it.
func (p *program) forgetSlot(ctx context.Context, s *storage, id session.ID, w wallet.Wallet) error {
	err := s.Delete(ctx, id)
	if errors.Is(err, store.ErrInDoubt) && s.keychain == nil {
		if user, runs := (systemd.Machine{}).RunsAs(w); runs == nil {
			p.notef("the keyring of %s may keep a copy that no daemon takes any more. As %s, without sudo: secret-tool clear service agentkeys username %s", user, user, id)
			err = nil
		}
	}
	for _, name := range []string{words.FileCache, words.FileEvents} {
		if removed := s.RemoveFile(id, name); err == nil { // after an error it fails for the same reason
			err = removed
		}
	}
	return err
}

// forgetUnit removes the drop-in of pair --run-as after the slot was removed. If the slot were still
// there, its unit would be started as the wrong user.
func (p *program) forgetUnit(ctx context.Context, w wallet.Wallet) {
	machine := systemd.Machine{}
	home, err := p.home()
	if err != nil || os.Geteuid() != 0 || !paths.UnitsHome(home) {
		return
	}
	removed, err := machine.RemoveDropIn(w)
	if err != nil {
		p.notef("%s stays: %v", machine.DropInPath(w), err)
	}
	if removed {
		p.reload(ctx, machine)
	}
	if machine.Enabled(w) {
		p.notef("the unit is still enabled, and would end with 78 at each boot. Disable it: %s", p.typist().Hint("sudo systemctl disable "+unitName(w)))
	}
}

func (p *program) confirmed(question string) bool {
	_, _ = fmt.Fprintf(p.stderr, "%s [y/N] ", question)
	line, err := bufio.NewReader(p.stdin).ReadString('\n')
	if err != nil { // the line of the question has not ended
		_, _ = fmt.Fprintln(p.stderr)
	}
	answer := strings.ToLower(strings.TrimSpace(line))
	return answer == "y" || answer == "yes"
}
