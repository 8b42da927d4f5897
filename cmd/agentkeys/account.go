package main

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/agentkeys/agentkeys/internal/buildinfo"
	"github.com/agentkeys/agentkeys/internal/cli"
	"github.com/agentkeys/agentkeys/internal/owner"
	"github.com/agentkeys/agentkeys/internal/secret"
)

// who is the answer of whoami, and the first part of init's.
type who struct {
	Wallet         string `json:"wallet"`
	SessionID      string `json:"session_id"`
	StorageBackend string `json:"storage_backend"`
	Broker         string `json:"broker"`
	Remembered     string `json:"remembered_broker,omitempty"` // by the session, if a different one was named
	MovedFrom      string `json:"moved_from,omitempty"`        // by init
}

func whoOf(w owner.Who) who {
	out := who{Wallet: w.Wallet.String(), SessionID: w.SessionID.String(), StorageBackend: string(w.Backend), Broker: w.Broker}
	if w.Remembered != w.Broker {
		out.Remembered = w.Remembered
	}
	return out
}

func whoText(w owner.Who) string {
	text := fmt.Sprintf("wallet   %s\nsession  %s (%s)\nbroker   %s", w.Wallet.String(), w.SessionID, w.Backend, w.Broker)
	if w.Remembered != w.Broker {
		text += "\n         the session remembers " + w.Remembered
	}
	return text
}

// begun is who, with warnings about the home that stores it.
type begun struct {
	who
	Warnings []string `json:"warnings,omitempty"`
}

type initCmd struct {
	SetupTokenFile string `help:"File with the broker's set-up token; - is standard input." placeholder:"FILE"`
	RecoveryKey    string `help:"- reads the recovery key from standard input, and opens that account here." placeholder:"-"`
}

// Run creates or opens an account. The recovery key is shown once.
func (c initCmd) Run(a *app) error {
	defer a.interruptible()()
	if c.RecoveryKey != "" && c.RecoveryKey != "-" {
		return cli.Usage("the recovery key is never an argument", "agentkeys init --recovery-key -")
	}
	if c.RecoveryKey != "" && c.SetupTokenFile != "" {
		return cli.Usage("--recovery-key opens an account, --setup-token-file makes one: give one", "")
	}
	cfg, err := a.config()
	if err != nil {
		return err
	}
	if _, agent := cfg.ID.Wallet(); agent {
		return cli.Usage("an account is never in a daemon's slot", hintInit)
	}
	if c.SetupTokenFile != "" || c.RecoveryKey != "" { // otherwise nothing is created
		if err := a.tryHome(); err != nil {
			return err
		}
	}
	in, err := c.secrets(a)
	gone := errors.Is(err, fs.ErrNotExist) // the broker removes the file when the token was used
	if err != nil && !gone {
		return err
	}
	opened, startErr := owner.Start(a.ctx, cfg, in, a.showNew)
	if !gone || !errors.Is(startErr, owner.ErrSetupToken) {
		err = startErr
	}
	if err != nil || opened.New {
		return err
	}
	w, text := whoOf(opened.Who), whoText(opened.Who)
	if w.MovedFrom = opened.MovedFrom; w.MovedFrom != "" {
		text += "\n\nThe account was moved there from " + w.MovedFrom
	}
	return a.print(begun{w, a.warnings}, "%s", text)
}

func (c initCmd) secrets(a *app) (owner.Init, error) {
	var in owner.Init
	var err error
	if c.RecoveryKey != "" {
		in.RecoveryKey, err = a.prompt("Recovery key")
		in.RecoveryKey = withoutLineEnd(in.RecoveryKey)
		if err == nil && in.RecoveryKey.IsZero() {
			err = cli.Usage("the recovery key is empty", "agentkeys init --recovery-key - < FILE")
		}
	}
	if c.SetupTokenFile != "" {
		in.SetupToken, err = a.readSecretFile(c.SetupTokenFile)
		in.SetupToken = secret.New(strings.TrimSpace(in.SetupToken.Reveal()))
	}
	return in, err
}

// showNew prints the new account with its recovery key, before it counts as open.
func (a *app) showNew(o owner.Opened) error {
	return a.print(struct {
		begun
		RecoveryKey string `json:"recovery_key"`
	}{begun{whoOf(o.Who), a.warnings}, o.RecoveryKey.Reveal()},
		"%s\n\nRecovery key, shown only now. Write it down and keep it off this machine:\n\n%s\n\nNext: agentkeys-daemon pair --broker %s   (on the board)",
		whoText(o.Who), o.RecoveryKey.Reveal(), o.Broker)
}

type whoamiCmd struct{}

// Run says whose session this is, also for an agent's slot.
func (whoamiCmd) Run(a *app) error {
	defer a.interruptible()()
	acc, err := a.access()
	if err != nil {
		return err
	}
	w := acc.Who()
	return a.print(whoOf(w), "%s", whoText(w))
}

type versionCmd struct{}

// Run prints the build.
func (versionCmd) Run(a *app) error {
	info := buildinfo.Get()
	return a.print(struct {
		Version  string `json:"version"`
		Revision string `json:"revision"`
		Go       string `json:"go"`
		Platform string `json:"platform"`
	}{info.Version, info.Revision, info.GoVersion, info.Platform}, "agentkeys %s", info)
}
