package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"syscall"

	"github.com/agentkeys/agentkeys/internal/atomicfile"
	"github.com/agentkeys/agentkeys/internal/brokerclient"
	"github.com/agentkeys/agentkeys/internal/cli"
	"github.com/agentkeys/agentkeys/internal/doctor"
	"github.com/agentkeys/agentkeys/internal/health/condition"
	"github.com/agentkeys/agentkeys/internal/localclient"
	"github.com/agentkeys/agentkeys/internal/mounts"
	"github.com/agentkeys/agentkeys/internal/owner"
	"github.com/agentkeys/agentkeys/internal/pairing"
	"github.com/agentkeys/agentkeys/internal/paths"
	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/scope"
	"github.com/agentkeys/agentkeys/internal/seal"
	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/settings"
	"github.com/agentkeys/agentkeys/internal/stdio"
	"github.com/agentkeys/agentkeys/internal/store"
	"github.com/agentkeys/agentkeys/internal/wallet"
	"github.com/agentkeys/agentkeys/internal/words"
)

const (
	hintInit   = "agentkeys init"
	hintDoctor = "agentkeys doctor"

	hintCertificate = "compare with the URL that agentkeys-broker prints when it starts; another key is another broker"
)

var errOpenedElsewhere = errors.New("this account was opened elsewhere, and its session there replaced this one")

// failureOf is the exit code, code and hint for an error.
func failureOf(err error) *cli.Failure {
	var p *protocol.Problem
	var away *localclient.UnreachableError
	var insecure *store.InsecureError
	switch {
	case errors.As(err, new(*cli.Failure)):
	case errors.As(err, &p):
		err = problemFailure(err, p)
	case errors.As(err, &away) && errors.Is(away.Err, fs.ErrPermission):
		err = &cli.Failure{Exit: words.ExitDenied, Code: protocol.CodeDenied, Hint: "run it as root or as the daemon's user", Err: err}
	case errors.As(err, &away):
		err = &cli.Failure{Exit: words.ExitUnreachable, Code: "daemon_away", Hint: "agentkeys-daemon status", Err: err}
	}
	f := cli.Classify(err, rules())
	var wrong *brokerclient.URLError
	if errors.As(err, &wrong) {
		f.Hint = "write it " + wrong.Meant
	}
	if f.Hint == "" && errors.As(err, &insecure) {
		f.Hint = insecure.Fix
	}
	return f
}

// told is failureOf with a hint that depends on this machine.
func (a *app) told(err error) *cli.Failure {
	f := failureOf(err)
	if url, urlErr := a.broker(); urlErr == nil {
		f.Hint = condition.AtBroker(f.Hint, url)
	}
	if f.Code != string(condition.StateReadOnly) && f.Code != string(condition.NoSpace) {
		return f
	}
	if home, err := paths.Home(a.getenv, os.Geteuid()); err == nil {
		f.Hint = cmp.Or(mounts.Mend(home, f.Err), f.Hint)
	}
	return f
}

// rules are tried in order, so a more specific error comes before a general one.
func rules() []cli.Rule {
	return append([]cli.Rule{
		cli.On(stdio.ErrOutput, words.ExitFault, cli.CodeError, ""),
		cli.On(owner.ErrNoAccount, words.ExitNoSession, string(words.ResultNoSession), hintInit),
		cli.On(store.ErrNoSession, words.ExitNoSession, string(words.ResultNoSession), hintInit),
		cli.On(owner.ErrNotOwner, words.ExitDenied, protocol.CodeDenied, "agentkeys --session-id master whoami"),
		cli.On(owner.ErrOtherAccount, words.ExitFault, protocol.CodeConflict, "agentkeys --session-id second init --recovery-key -"),
		cli.On(owner.ErrSetupToken, words.ExitUsage, cli.CodeUsage, "agentkeys init --broker URL --setup-token-file FILE"),
		cli.On(owner.ErrSetupRefused, words.ExitDenied, protocol.CodeDenied, "agentkeys init --broker URL --setup-token-file FILE"),
		cli.On(owner.ErrBrokerURL, words.ExitUsage, cli.CodeUsage, "agentkeys init --broker URL --setup-token-file FILE"),
		cli.On(owner.ErrAll, words.ExitUsage, cli.CodeUsage, "agentkeys scope IDENTITY --set a,b"),
		cli.On(owner.ErrScope, words.ExitDenied, protocol.CodeDeniedScope, "agentkeys list"),
		cli.On(owner.ErrAuditFile, words.ExitFault, "corrupt", "agentkeys usage --accept   (only if you damaged the file yourself)"),
		cli.On(errNotApproved, words.ExitFault, cli.CodeNotConfirmed, ""),
		cli.On(errKept, words.ExitFault, cli.CodeNotConfirmed, ""),
		cli.On(errInterrupted, words.ExitFault, "interrupted", ""),
		cli.On(errProgram, words.ExitNoProgram, protocol.CodeNotFound, ""),
		cli.On(errNotExecutable, words.ExitNotExecutable, "not_executable", ""),
		cli.On(owner.ErrUnknownAccount, words.ExitFault, "account_unknown", doctor.HintBrokerRestore),
		cli.On(owner.ErrKind, words.ExitUsage, cli.CodeUsage, ""),
		cli.On(owner.BothError{}, words.ExitUsage, cli.CodeUsage, ""),
		cli.On(brokerclient.ErrURL, words.ExitUsage, cli.CodeUsage, ""),
		cli.On(settings.ErrSettings, words.ExitUsage, cli.CodeUsage, "man agentkeys-daemon.toml"),
		cli.On(pairing.ErrForged, words.ExitFault, protocol.CodePairingForged, "compare the code with the board's screen; if it is right, do not trust this broker"),
		cli.On(pairing.ErrCode, words.ExitUsage, cli.CodeUsage, ""),
		cli.On(owner.ErrWithheld, words.ExitFault, protocol.CodeRecordWithheld, ""),
		cli.On(seal.ErrManifest, words.ExitFault, protocol.CodeManifestRefused, ""),
		cli.On(owner.ErrRewritten, words.ExitFault, "audit_rewritten", "agentkeys usage --accept   (only if you restored the broker yourself)"),
		cli.On(owner.ErrNoCredential, words.ExitFault, protocol.CodeNotFound, "agentkeys list"),
		cli.On(owner.ErrNoBoard, words.ExitFault, protocol.CodeNotFound, "compare the code with the board's screen; if it is older than 10 minutes, pair again"),
		cli.On(owner.ErrNotFound, words.ExitFault, protocol.CodeNotFound, "agentkeys agents"),
		cli.On(owner.ErrTaken, words.ExitFault, protocol.CodeConflict, "agentkeys agents"),
		cli.On(owner.ErrLimit, words.ExitFault, protocol.CodeConflict, "agentkeys list"),
		cli.On(owner.ErrEmails, words.ExitFault, protocol.CodeConflict, "agentkeys link IDENTITY --alias NAME   (or pair a new agent)"),
		cli.On(session.ErrID, words.ExitUsage, cli.CodeUsage, ""),
		cli.On(wallet.ErrFormat, words.ExitUsage, cli.CodeUsage, ""),
		cli.On(wallet.ErrChecksum, words.ExitUsage, cli.CodeUsage, ""),
		cli.On(scope.ErrService, words.ExitUsage, cli.CodeUsage, ""),
		cli.On(scope.ErrScope, words.ExitUsage, cli.CodeUsage, ""),
		cli.On(seal.ErrAlias, words.ExitUsage, cli.CodeUsage, ""),
		cli.On(seal.ErrEmail, words.ExitUsage, cli.CodeUsage, ""),
		cli.On(seal.ErrRecoveryKey, words.ExitUsage, cli.CodeUsage, ""),
		cli.On(paths.ErrHome, words.ExitUsage, cli.CodeUsage, "export AGENTKEYS_HOME=/absolute/path"),
		cli.On(store.ErrConfig, words.ExitUsage, cli.CodeUsage, ""),
		cli.On(protocol.ErrUnpinned, words.ExitUnreachable, protocol.CodeCertificate, "agentkeys --broker https://HOST:8420#spki-sha256-... COMMAND   (the whole URL that the broker printed)"),
		cli.On(protocol.ErrCertificate, words.ExitUnreachable, protocol.CodeCertificate, hintCertificate),
		cli.On(protocol.ErrUnreachable, words.ExitUnreachable, protocol.CodeUnreachable, hintDoctor),
	}, storeRules()...)
}

// storeRules are for errors of the owner's slot and the disk that holds it.
func storeRules() []cli.Rule {
	return []cli.Rule{
		cli.On(store.ErrUnavailable, words.ExitFault, "keychain_unavailable", "unlock the keychain, or set AGENTKEYS_SESSION_STORE=file before `agentkeys init`"),
		cli.On(store.ErrInDoubt, words.ExitFault, "store_in_doubt", ""),
		cli.On(store.ErrInconsistent, words.ExitFault, "slot_inconsistent", "agentkeys init --recovery-key -"),
		cli.On(atomicfile.ErrUnfit, words.ExitFault, "home_unfit", "export AGENTKEYS_HOME=DIR   (DIR on a file system with owners and modes)"),
		cli.On(atomicfile.ErrNoDir, words.ExitFault, "home_unfit", "export AGENTKEYS_HOME=DIR   (a directory of this machine; a link to a disk needs that disk mounted)"),
		cli.On(syscall.ENOSPC, words.ExitFault, string(condition.NoSpace), hintDoctor),
		cli.On(syscall.EDQUOT, words.ExitFault, string(condition.NoSpace), hintDoctor),
		cli.On(syscall.EROFS, words.ExitFault, string(condition.StateReadOnly), hintDoctor),
		cli.On(syscall.ESTALE, words.ExitFault, "home_stale", "mount the file server's directory again: sudo umount -l DIR; sudo mount DIR"),
		cli.On(store.ErrInsecure, words.ExitFault, "slot_insecure", ""),
		cli.On(store.ErrCorrupt, words.ExitFault, "slot_corrupt", "agentkeys init --recovery-key -"),
		cli.On(store.ErrBusy, words.ExitFault, "busy", ""),
		cli.On(store.ErrStale, words.ExitFault, "busy", ""),
		cli.On(store.ErrNewer, words.ExitFault, "slot_newer", "upgrade agentkeys"),
	}
}

// problemFailure reports an answer of the broker or the daemon.
func problemFailure(err error, p *protocol.Problem) *cli.Failure {
	f := &cli.Failure{Exit: words.ExitFault, Code: p.Code, Err: err}
	switch p.Code {
	case protocol.CodeDenied, protocol.CodeDeniedScope, protocol.CodePairingDenied, protocol.CodeApprovalNeeded:
		f.Exit = words.ExitDenied
	case protocol.CodeSessionRevoked:
		f.Exit, f.Hint = words.ExitDenied, hintInit
	case protocol.CodeTokenRetired:
		f.Exit, f.Hint = words.ExitNoSession, hintInit
		f.Err = errOpenedElsewhere
	case protocol.CodeTokenUnknown, protocol.CodeSessionExpired:
		f.Exit, f.Hint = words.ExitNoSession, hintInit
	case protocol.CodeSlowDown:
		f.Err = fmt.Errorf("%w; try again in %d s", err, p.RetryAfter)
	case protocol.CodeReadOnly:
		f.Exit, f.Hint = words.ExitUnreachable, doctor.HintBrokerDisk
	case protocol.CodeUnavailable, protocol.CodeRestored:
		f.Exit = words.ExitUnreachable
	}
	return f
}

// whichFault tells a person who named no wallet what to type.
func whichFault(err error) error {
	var many owner.ManyError
	if errors.As(err, &many) {
		return cli.Usage(err.Error(), "agentkeys COMMAND --wallet "+many.Wallets[0].String())
	}
	if errors.Is(err, owner.ErrNoAccount) {
		err = fmt.Errorf("this machine has neither an account nor an agent: %w", err)
		return cli.Hinted(err, hintPair+"   (or, on your own machine: agentkeys init)")
	}
	return err
}

// agentSlotFault replaces the hint for an agent's slot that cannot be opened by the daemon's. Only
// if there is no session at all the hint is to pair (docs/spec/architecture.md#load).
func agentSlotFault(err error, id session.ID) error {
	w, _ := id.Wallet()
	for _, known := range []struct {
		err  error
		hint string
	}{
		{owner.ErrNoAccount, hintPair},
		{store.ErrUnavailable, "unlock the keychain, then: agentkeys-daemon probe"},
		{store.ErrCorrupt, "agentkeys-daemon recover " + w.String() + " --broker URL"},
		{store.ErrInconsistent, "agentkeys-daemon recover " + w.String() + " --broker URL"},
	} {
		if errors.Is(err, known.err) {
			return cli.Hinted(err, known.hint)
		}
	}
	return err
}

// deviceFault replaces the hint for a session that the broker does not accept by the daemon's.
func deviceFault(err error, w wallet.Wallet) error {
	var p *protocol.Problem
	if errors.As(err, &p) && p.Status == http.StatusUnauthorized {
		return cli.Hinted(err, "agentkeys-daemon recover "+w.String())
	}
	return err
}

// daemonFault replaces the hint for a refusal of the daemon by the daemon's.
func daemonFault(err error, w wallet.Wallet) error {
	var p *protocol.Problem
	switch {
	case !errors.As(err, &p):
		return err
	case p.CallerUnseen():
		return cli.Hinted(err, condition.HintContainer)
	case p.Detail == protocol.DetailRules:
		return cli.Hinted(err, "agentkeys-daemon run --print-config --wallet "+w.String()+"   (who may ask: allow, allow_root)")
	}
	return cli.Hinted(err, "agentkeys-daemon status --wallet "+w.String())
}
