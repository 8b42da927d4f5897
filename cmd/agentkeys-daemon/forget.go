package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

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

var errNotConfirmed = errors.New("nothing was removed")

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
		return fmt.Errorf("wallet %s is not paired on this machine: %w", w, store.ErrNoSession)
	case err != nil:
		return err
	}
	defer release()
	if !c.Yes && !p.confirmed("Remove the session of "+w.String()+" from this machine? Its owner must approve it again.") {
		return errNotConfirmed
	}
	if err := p.forgetSlot(ctx, s, id, w); err != nil {
		return err
	}
	p.forgetUnit(ctx, w)
	if p.flags.JSON {
		return p.writeJSON(map[string]string{"forgotten": w.String()})
	}
	p.printf("The session of %s is gone from this machine. Its owner ends it everywhere with\n\n    agentkeys revoke %s\n", w.String(), w)
	return nil
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
		p.notef("the unit is still enabled, and would end with 78 at each boot. Disable it: sudo systemctl disable %s", unitName(w))
	}
}

func (p *program) confirmed(question string) bool {
	_, _ = fmt.Fprintf(p.stderr, "%s [y/N] ", question)
	line, err := bufio.NewReader(p.stdin).ReadString('\n')
	if err != nil && line == "" {
		return false
	}
	answer := strings.ToLower(strings.TrimSpace(line))
	return answer == "y" || answer == "yes"
}
