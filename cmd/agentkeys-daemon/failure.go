package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/agentkeys/agentkeys/internal/agent/enroll"
	"github.com/agentkeys/agentkeys/internal/agent/localapi"
	"github.com/agentkeys/agentkeys/internal/atomicfile"
	"github.com/agentkeys/agentkeys/internal/brokerclient"
	"github.com/agentkeys/agentkeys/internal/cli"
	"github.com/agentkeys/agentkeys/internal/doctor"
	"github.com/agentkeys/agentkeys/internal/health/condition"
	"github.com/agentkeys/agentkeys/internal/mounts"
	"github.com/agentkeys/agentkeys/internal/paths"
	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/scope"
	"github.com/agentkeys/agentkeys/internal/seal"
	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/settings"
	"github.com/agentkeys/agentkeys/internal/stdio"
	"github.com/agentkeys/agentkeys/internal/store"
	"github.com/agentkeys/agentkeys/internal/systemd"
	"github.com/agentkeys/agentkeys/internal/wallet"
	"github.com/agentkeys/agentkeys/internal/words"
)

// failureOf is the exit code, code and hint for an error.
func failureOf(err error) *cli.Failure {
	f := cli.Classify(err, rules())
	if errors.As(err, new(*cli.Failure)) {
		return f
	}
	var insecure *store.InsecureError
	if errors.As(err, &insecure) {
		f.Hint = insecure.Fix
	}
	var wrong *brokerclient.URLError
	if errors.As(err, &wrong) {
		f.Hint = "write it " + wrong.Meant
	}
	var socket *localapi.PathError
	if errors.As(err, &socket) {
		f.Hint = socket.Fix
	}
	var foreign *systemd.ForeignError
	if errors.As(err, &foreign) {
		f.Code, f.Hint = "drop_in_foreign", "mv "+foreign.Path+" "+foreign.Path+".aside"
	}
	var unread *settings.UnreadableError
	if errors.As(err, &unread) { // exit code 64 would keep the unit from trying again
		f.Exit, f.Code, f.Hint = words.ExitFault, "settings_unreadable", readableHint(unread)
	}
	var pairing *enroll.Failure
	var problem *protocol.Problem
	switch {
	case errors.As(err, &pairing):
		f.Code = pairing.Code
	case errors.As(err, &problem):
		f.Code = problem.Code
	default:
		return f
	}
	if f.Code == protocol.CodeReadOnly {
		f.Hint = doctor.HintBrokerDisk
	}
	if exit, ok := exitOfCode(f.Code); ok {
		f.Exit = exit
	}
	return f
}

// readableHint makes the file readable, or the directory if that is closed. Settings hold no secrets.
func readableHint(e *settings.UnreadableError) string {
	if !errors.Is(e.Err, fs.ErrPermission) {
		return "ls -l " + e.Path
	}
	if _, err := os.Stat(e.Path); errors.Is(err, fs.ErrPermission) {
		return "chmod 0755 " + filepath.Dir(e.Path)
	}
	return "chmod 0644 " + e.Path
}

func exitOfCode(code string) (int, bool) {
	switch code {
	case protocol.CodePairingDenied, protocol.CodeDenied, protocol.CodeDeniedScope, protocol.CodeSessionRevoked:
		return words.ExitDenied, true
	case protocol.CodeUnreachable, protocol.CodeCertificate, protocol.CodeUnavailable, protocol.CodeReadOnly, protocol.CodeRestored, protocol.CodeSlowDown:
		return words.ExitUnreachable, true
	}
	return 0, false
}

// rules are tried in order.
func rules() []cli.Rule {
	return []cli.Rule{
		cli.On(stdio.ErrOutput, words.ExitFault, cli.CodeError, ""),
		cli.On(settings.ErrSettings, words.ExitUsage, cli.CodeUsage, "man agentkeys-daemon.toml"),
		cli.On(wallet.ErrFormat, words.ExitUsage, cli.CodeUsage, ""),
		cli.On(wallet.ErrChecksum, words.ExitUsage, cli.CodeUsage, ""),
		cli.On(scope.ErrScope, words.ExitUsage, cli.CodeUsage, ""),
		cli.On(scope.ErrService, words.ExitUsage, cli.CodeUsage, ""),
		cli.On(seal.ErrAlias, words.ExitUsage, cli.CodeUsage, ""),
		cli.On(session.ErrID, words.ExitUsage, cli.CodeUsage, ""),
		cli.On(brokerclient.ErrURL, words.ExitUsage, cli.CodeUsage, name+" pair --broker https://HOST:8420"),
		cli.On(paths.ErrHome, words.ExitUsage, cli.CodeUsage, "export AGENTKEYS_HOME=/absolute/path"),
		cli.On(store.ErrConfig, words.ExitUsage, cli.CodeUsage, ""),
		cli.On(enroll.ErrGone, words.ExitNoSession, string(words.ResultNoSession), name+" recover WALLET --broker URL"),
		cli.On(store.ErrNoSession, words.ExitNoSession, string(words.ResultNoSession), name+" pair --broker URL"),
		cli.On(store.ErrBusy, words.ExitFault, "busy", name+" status"),
		cli.On(store.ErrUnavailable, words.ExitFault, "keychain_unavailable", name+" probe"),
		cli.On(store.ErrInsecure, words.ExitFault, "slot_insecure", ""),
		cli.On(store.ErrCorrupt, words.ExitFault, "slot_corrupt", name+" recover WALLET --broker URL"),
		cli.On(store.ErrInconsistent, words.ExitFault, "slot_inconsistent", name+" recover WALLET --broker URL"),
		cli.On(store.ErrNewer, words.ExitFault, "slot_newer", "upgrade "+name),
		cli.On(store.ErrInDoubt, words.ExitFault, "store_in_doubt", name+" probe"),
		cli.On(localapi.ErrInUse, words.ExitFault, "busy", name+" status"),
		cli.On(localapi.ErrPath, words.ExitFault, "socket", ""),
		cli.On(atomicfile.ErrUnfit, words.ExitFault, "home_unfit", "export AGENTKEYS_HOME=DIR   (DIR on a file system with owners and modes)"),
		cli.On(syscall.ESTALE, words.ExitFault, "home_stale", "mount the file server's directory again: sudo umount -l DIR; sudo mount DIR"),
		cli.On(atomicfile.ErrNoDir, words.ExitFault, "home_unfit", "export AGENTKEYS_HOME=DIR   (a directory of this machine; a link to a disk needs that disk mounted)"),
		cli.On(syscall.ENOSPC, words.ExitFault, string(condition.NoSpace), name+" doctor"),
		cli.On(syscall.EDQUOT, words.ExitFault, string(condition.NoSpace), name+" doctor"),
		cli.On(syscall.EROFS, words.ExitFault, string(condition.StateReadOnly), name+" doctor"),
		cli.On(protocol.ErrUnpinned, words.ExitUnreachable, protocol.CodeCertificate, "give the whole URL that the broker printed: --broker https://HOST:8420#spki-sha256-..."),
		cli.On(protocol.ErrCertificate, words.ExitUnreachable, protocol.CodeCertificate, "compare with the URL that agentkeys-broker prints when it starts; another key is another broker"),
		cli.On(protocol.ErrUnreachable, words.ExitUnreachable, protocol.CodeUnreachable, "start the broker (agentkeys-broker serve) or give another one by --broker"),
	}
}

// told is failureOf with a hint that depends on this machine.
func (p *program) told(err error) *cli.Failure {
	f := failureOf(err)
	if f.Code == string(condition.StateReadOnly) || f.Code == string(condition.NoSpace) {
		f.Hint = cmp.Or(p.diskHint(err), f.Hint)
	}
	f.Hint = p.filled(f.Hint)
	return f
}

// filled is a hint with the agent that was named and the broker that is known.
func (p *program) filled(hint string) string {
	if !p.wallet.IsZero() {
		hint = strings.ReplaceAll(hint, "WALLET", p.wallet.String())
	}
	if !strings.Contains(hint, "--broker URL") {
		return hint
	}
	return condition.AtBroker(hint, p.knownBroker())
}

// knownBroker is the broker of the settings, or the one that the session of the agent that was
// named remembers; empty: neither is known.
func (p *program) knownBroker() string {
	if p.wallet.IsZero() {
		set, _, err := p.loadSettings("")
		if err != nil {
			return ""
		}
		return set.Broker
	}
	s, err := p.slots(p.wallet.String())
	if err != nil {
		return ""
	}
	at, err := p.brokerOf(context.Background(), s, p.wallet)
	if err != nil {
		return ""
	}
	return at.URL
}

// diskHint is the command for the disk that holds the path in err, else for the home's.
func (p *program) diskHint(err error) string {
	path, _ := p.home() // without a home nothing would have been written
	var at *fs.PathError
	if errors.As(err, &at) && filepath.IsAbs(at.Path) {
		path = at.Path
	}
	return mounts.Mend(path, err)
}

func (p *program) writeJSON(v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode output: %w", err)
	}
	p.printf("%s\n", data)
	return nil
}
