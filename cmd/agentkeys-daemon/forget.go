package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"strings"

	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/store"
)

type forgetCommand struct {
	wallet string
	yes    bool
}

func (c *forgetCommand) define(fs *flag.FlagSet) {
	fs.StringVar(&c.wallet, "wallet", "", "the agent whose session is removed, `0x..`")
	fs.BoolVar(&c.yes, "yes", false, "do not ask")
}

var errNotConfirmed = errors.New("nothing was removed")

// run removes a slot: only a person may.
func (c *forgetCommand) run(ctx context.Context, p *program) error {
	w, err := p.parseWallet(c.wallet)
	if err != nil {
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
		return &failure{
			exit: exitFault, code: "busy", hint: "systemctl stop agentkeys-daemon@" + w.String(),
			err: fmt.Errorf("the daemon of %s is running: %w", w, err),
		}
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("wallet %s is not paired on this machine: %w", w, store.ErrNoSession)
	case err != nil:
		return err
	}
	defer release()
	if !c.yes && !p.confirmed("Remove the session of "+w.Display()+" from this machine? Its owner must approve it again.") {
		return errNotConfirmed
	}
	if err := s.Delete(ctx, id); err != nil {
		return err
	}
	if err := s.RemoveFile(id, cacheFile); err != nil {
		return err
	}
	if p.flags.JSON {
		return p.writeJSON(map[string]string{"forgotten": w.String()})
	}
	p.printf("The session of %s is gone from this machine. Its owner ends it everywhere with\n\n    agentkeys revoke %s\n", w.Display(), w)
	return nil
}

// cacheFile holds the ciphertext that the daemon kept.
const cacheFile = "cache.json"

func (p *program) confirmed(question string) bool {
	_, _ = fmt.Fprintf(p.stderr, "%s [y/N] ", question)
	line, err := bufio.NewReader(p.stdin).ReadString('\n')
	if err != nil && line == "" {
		return false
	}
	answer := strings.ToLower(strings.TrimSpace(line))
	return answer == "y" || answer == "yes"
}
